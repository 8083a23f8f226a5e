//! Did the generator copy? Candidates for a look, and two tests against held-out data.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace assay::valuation {

//! A generated sample very near to a training sample, both as row numbers.
struct CopyCandidate {
    std::int64_t generated = 0, row = 0;
    double distance = 0;
    //! distance / (0.5 * mean distance to the nearest 50, or to as many as there are): small for a copy, also
    //! where all samples lie close together (Carlini et al. 2023). NaN for distances that can be negative.
    double relative = 0;
};

//! The nearest training row of every generated sample.
class NearestRows {
  public:
    explicit NearestRows(std::size_t listed) : listed_(listed) {}
    //! The next generated sample, its list ascending.
    void add(std::span<std::int64_t const> rows, std::span<double const> distances);
    //! The listed samples with the smallest relative distance, then distance, then number.
    std::vector<CopyCandidate> candidates() const;
    //! [m]
    std::vector<double> const& distances() const { return distances_; }
    //! How many are at distance 0 of a training row.
    std::int64_t duplicates() const { return duplicates_; }
    //! Over how many rows relative distances average.
    std::int64_t averaged() const { return averaged_; }

  private:
    std::size_t listed_;
    std::int64_t duplicates_ = 0, averaged_ = 0;
    std::vector<double> distances_;
    std::vector<CopyCandidate> best_; // a heap, the worst on top
};

//! Are generated samples nearer to the training rows than to held-out rows? Without copying, and with
//! held-out data of the same kind, the nearest of all N + h rows is a training row with probability N/(N +
//! h).
struct NearerTest {
    double share = 0;    //!< of generated samples nearer to training rows, ties counted half
    double expected = 0; //!< N/(N + h); NaN if h is not known
    double z = 0; //!< (share - expected) in standard errors of independent queries: positive for copying
};

//! to_training, to_held_out: [m] distances to the nearest. held_out = 0: not known.
NearerTest nearer_test(std::span<double const> to_training, std::span<double const> to_held_out,
                       std::uint64_t training, std::uint64_t held_out);

//! Three-sample test of data copying (Meehan et al. 2020), over all of space as one cell: Mann-Whitney of the
//! distances to the nearest training row, generated against held-out samples.
struct CopyingTest {
    double auc = 0.5; //!< P(generated farther than held-out) + P(equal)/2: below 0.5, generated lie nearer
    double z = 0;     //!< with the variance corrected for ties; negative for copying
};

CopyingTest copying_test(std::span<double const> generated, std::span<double const> held_out);

struct Memorisation {
    std::vector<CopyCandidate> candidates;
    std::optional<std::int64_t> duplicates; //!< generated samples at distance 0; none for inner products
    std::int64_t averaged = 0;
    std::optional<NearerTest> nearer;   //!< with held-out neighbours of the generated samples
    std::optional<CopyingTest> copying; //!< with training neighbours of the held-out samples
};

} // namespace assay::valuation
