#include "assay/valuation/bootstrap.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"
#include "assay/base/stats.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace assay::valuation {

namespace {

// floor(2^32 P(X <= k)) for X ~ Poisson(1), k = 0 .. 12
constexpr std::array<std::uint32_t, 13> kThresholds{
    1580030168, 3160060337, 3950075421, 4213413783, 4279248373, 4292415291, 4294609777,
    4294923276, 4294962463, 4294966817, 4294967252, 4294967292, 4294967295};

constexpr std::uint64_t kMostSums = std::uint64_t{1} << 29;

} // namespace

void poisson_counts(std::uint64_t seed, std::uint64_t id, std::span<std::uint8_t> counts) {
    Random random(seed, "valuation bootstrap", id);
    for (std::uint8_t& count : counts) {
        std::uint32_t const u = random.bits();
        count = 0;
        while (count < kThresholds.size() && u >= kThresholds[count])
            ++count;
    }
}

ReplicateSums::ReplicateSums(std::uint64_t sums, std::uint64_t replicates) : replicates_(replicates) {
    if (sums > kMostSums / std::max<std::uint64_t>(replicates, 1))
        fail(
            Exit::usage,
            "valuation.bootstrap={} (with {} groups the replicates would take {:.0f} GiB). Lower it, or make "
            "fewer groups",
            replicates, sums, static_cast<double>(sums) * static_cast<double>(replicates) * 0x1p-27);
    totals_.resize(sums * replicates);
}

Interval percentile_interval(std::vector<double> values, double confidence) {
    std::erase_if(values, [](double value) { return std::isnan(value); });
    if (values.empty())
        return {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
    std::sort(values.begin(), values.end());
    return {quantile_sorted(values, (1 - confidence) / 2), quantile_sorted(values, (1 + confidence) / 2)};
}

} // namespace assay::valuation
