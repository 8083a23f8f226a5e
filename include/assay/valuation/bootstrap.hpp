//! Other draws of the generated samples: each counts Poisson(1) times in a replicate.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace assay::valuation {

//! Counts of one generated sample in replicates 0, 1, …: they depend on (seed, id, replicate) alone.
//! At most 13.
void poisson_counts(std::uint64_t seed, std::uint64_t id, std::span<std::uint8_t> counts);

//! Sums over resampled queries: [sums] totals in each of [replicates]. Memory: 8 bytes each.
class ReplicateSums {
  public:
    //! Error(usage) if they would take more than 4 GiB.
    ReplicateSums(std::uint64_t sums, std::uint64_t replicates);
    //! A query that counts[b] times is in replicate b gives `amount` to `sum`.
    void add(std::uint64_t sum, std::int64_t amount, std::span<std::uint8_t const> counts) {
        std::int64_t* const row = totals_.data() + sum * replicates_;
        for (std::size_t b = 0; b < counts.size(); ++b)
            row[b] += amount * counts[b];
    }
    //! [replicates]
    std::span<std::int64_t const> of(std::uint64_t sum) const {
        return {totals_.data() + sum * replicates_, replicates_};
    }

  private:
    std::uint64_t replicates_;
    std::vector<std::int64_t> totals_;
};

using Interval = std::pair<double, double>;

//! Percentile interval at `confidence`; values that are NaN are left out; {NaN, NaN} if none is left.
Interval percentile_interval(std::vector<double> values, double confidence);

} // namespace assay::valuation
