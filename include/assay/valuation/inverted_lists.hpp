//! Approximate nearest rows, for those who ask: only the lists of the cells nearest to a query are looked
//! through (IVF-Flat). Their rows get exact keys and are merged as the exact search does it, so only recall
//! is approximate: it must be measured and reported.
#pragma once

#include "assay/valuation/training_rows.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace assay::valuation {

//! Training rows of each cell in the sample that places the cells.
inline constexpr std::int64_t kSampleOfEachCell = 64;
//! `wanted`, or the default number for so many rows.
std::int64_t number_of_cells(std::uint64_t rows, std::int64_t wanted);

struct IvfOptions {
    std::int64_t lists = 0;   //!< cells; 0: 4 sqrt(N)
    std::int64_t probes = 16; //!< cells looked through; more where these hold less than k rows
    std::uint64_t seed = 0;   //!< of the sample that places the cells
};

//! The rows of each cell, on the rank that holds them. `rows` must outlive it. The same lists on any number
//! of ranks, but for the k-means that places the cells (faiss, 10 iterations on 64 rows per cell, drawn by
//! hash, on root): that repeats its bits on the same machine with the same number of threads only.
class InvertedLists {
  public:
    //! Collective. Root holds the sample meanwhile: 64 x lists x width floats. Error(usage) unless lists are
    //! at most the rows.
    InvertedLists(TrainingRows const& rows, IvfOptions const& options);
    ~InvertedLists();
    InvertedLists(InvertedLists&&) noexcept;

    //! Collective; as Searcher::search().
    Neighbours search(QueryBlock queries, std::int64_t k, int owner) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

//! Share of the k nearest rows that the lists found, any row at most as far as the k-th nearest counting as
//! one of them.
struct Recall {
    std::vector<double> of_queries; //!< in [0, 1], one per query
    double mean = 0, fifth_percentile = 0, minimum = 0;
};

//! Collective. On `count` queries drawn by hash (all if there are fewer), against the exact search; the same
//! on all ranks.
Recall measure_recall(TrainingRows const& rows, InvertedLists const& lists, FeatureMatrix const& queries,
                      std::int64_t k, std::uint64_t count, std::uint64_t seed);

} // namespace assay::valuation
