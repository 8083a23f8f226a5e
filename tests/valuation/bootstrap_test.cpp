#include "assay/valuation/bootstrap.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"
#include "assay/base/stats.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace assay::valuation {
namespace {

std::vector<std::uint8_t> counts_of(std::uint64_t seed, std::uint64_t id, std::size_t replicates) {
    std::vector<std::uint8_t> counts(replicates);
    poisson_counts(seed, id, counts);
    return counts;
}

TEST(PoissonCounts, HaveTheirDistribution) {
    constexpr int kDraws = 1000000;
    std::vector<double> seen(14, 0);
    for (std::uint64_t id = 0; id < 1000; ++id)
        for (std::uint8_t count : counts_of(1, id, kDraws / 1000))
            seen.at(count) += 1;
    double probability = std::exp(-1);
    for (std::size_t k = 0; k < 7; ++k) {
        double const expected = kDraws * probability;
        EXPECT_NEAR(seen[k], expected, 4 * std::sqrt(expected)) << k;
        probability /= static_cast<double>(k + 1);
    }
}

TEST(PoissonCounts, DependOnSeedIdAndReplicateAlone) {
    std::vector<std::uint8_t> const few = counts_of(1, 5, 50), many = counts_of(1, 5, 200);
    EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
    EXPECT_NE(counts_of(1, 6, 50), few);
    EXPECT_NE(counts_of(2, 5, 50), few);
}

// The variance of a resampled sum is the sum of squares
TEST(ReplicateSums, VaryAsTheSumOfSquares) {
    constexpr std::size_t kReplicates = 20000;
    Random random(1, "test");
    ReplicateSums sums(2, kReplicates);
    double squares = 0, total = 0;
    for (std::uint64_t id = 0; id < 300; ++id) {
        auto const amount = static_cast<std::int64_t>(random.below(1 << 20));
        sums.add(1, amount, counts_of(3, id, kReplicates));
        squares += static_cast<double>(amount) * static_cast<double>(amount);
        total += static_cast<double>(amount);
    }
    std::vector<double> const values(sums.of(1).begin(), sums.of(1).end());
    EXPECT_NEAR(std::pow(sd(values), 2) / squares, 1, 0.03);
    EXPECT_NEAR(mean(values) / total, 1, 0.01);
    EXPECT_EQ(sums.of(0)[0], 0);
}

TEST(ReplicateSums, RefuseWhatDoesNotFit) {
    try {
        ReplicateSums(10000000, 200);
        ADD_FAILURE() << "nothing was thrown";
    } catch (Error const& error) {
        EXPECT_EQ(error.code(), Exit::usage);
        EXPECT_NE(std::string(error.what()).find("valuation.bootstrap=200"), std::string::npos);
        EXPECT_NE(std::string(error.what()).find("15 GiB"), std::string::npos);
    }
}

TEST(PercentileInterval, IsSymmetricInLevels) {
    std::vector<double> values(101);
    std::iota(values.rbegin(), values.rend(), 0);
    Interval const interval = percentile_interval(values, 0.9);
    EXPECT_DOUBLE_EQ(interval.first, 5);
    EXPECT_DOUBLE_EQ(interval.second, 95);
    values.push_back(std::nan(""));
    EXPECT_DOUBLE_EQ(percentile_interval(values, 0.9).second, 95);
    EXPECT_TRUE(std::isnan(percentile_interval({std::nan("")}, 0.9).first));
}

} // namespace
} // namespace assay::valuation
