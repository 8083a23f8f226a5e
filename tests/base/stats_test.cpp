#include "assay/base/stats.hpp"

#include "assay/base/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace assay {
namespace {

using Values = std::vector<double>;

TEST(Stats, MeanSdAndCovarianceByHand) {
    Values const x{1, 2, 4, 9};  // mean 4, deviations -3 -2 0 5, squares 38
    Values const y{2, 0, 1, -7}; // mean -1, deviations 3 1 2 -6, products with x's: -9 -2 0 -30
    EXPECT_DOUBLE_EQ(mean(x), 4);
    EXPECT_DOUBLE_EQ(sd(x), std::sqrt(38.0 / 3));
    EXPECT_DOUBLE_EQ(covariance(x, y), -41.0 / 3);
    EXPECT_DOUBLE_EQ(covariance(y, x), -41.0 / 3);
}

TEST(Stats, TooFewValuesGiveZero) {
    EXPECT_EQ(mean(Values{}), 0);
    EXPECT_EQ(sd(Values{}), 0);
    EXPECT_EQ(sd(Values{5}), 0);
    EXPECT_EQ(covariance(Values{5}, Values{6}), 0);
}

// 1 is lost beside 1e16 and 1 after it is not: any other order gives another sum
TEST(Stats, SumsRunInIndexOrder) {
    EXPECT_DOUBLE_EQ(mean(Values{1e16, 1, -1e16, 1}), 0.25);
    EXPECT_DOUBLE_EQ(mean(Values{1e16, -1e16, 1, 1}), 0.5);
}

TEST(Stats, SdDoesNotCancelFarFromZero) {
    EXPECT_DOUBLE_EQ(sd(Values{1e9 + 1, 1e9 + 2, 1e9 + 3}), 1);
}

TEST(Stats, QuantilesAreLinearBetweenOrderStatistics) {
    Values const x{10, 20, 40, 80};
    EXPECT_DOUBLE_EQ(quantile_sorted(x, 0), 10);
    EXPECT_DOUBLE_EQ(quantile_sorted(x, 1), 80);
    EXPECT_DOUBLE_EQ(quantile_sorted(x, 0.5), 30);
    EXPECT_DOUBLE_EQ(quantile_sorted(x, 1.0 / 3), 20);
    EXPECT_DOUBLE_EQ(quantile_sorted(x, 0.25), 17.5); // position 0.75
    EXPECT_DOUBLE_EQ(quantile_sorted(Values{7}, 0.3), 7);
}

TEST(Stats, SortedIsACopy) {
    Values const x{3, -1, 2};
    EXPECT_EQ(sorted(x), (Values{-1, 2, 3}));
    EXPECT_EQ(x, (Values{3, -1, 2}));
}

TEST(Isotonic, PoolsAdjacentViolators) {
    EXPECT_EQ(isotonic(Values{1, 3, 2, 2, 5}), (Values{1, 7.0 / 3, 7.0 / 3, 7.0 / 3, 5}));
    EXPECT_EQ(isotonic(Values{4, 3, 2}), (Values{3, 3, 3}));
    EXPECT_EQ(isotonic(Values{1, 1, 2}), (Values{1, 1, 2}));
    EXPECT_EQ(isotonic(Values{}), Values{});
}

// The fit at i is the largest over starts a <= i of the smallest mean of y[a..b], b >= i
TEST(Isotonic, IsTheMaxMinOfMeans) {
    Random random(1, "isotonic");
    Values y(40);
    for (double& v : y)
        v = static_cast<double>(random.below(9));
    Values const fit = isotonic(y);
    for (std::size_t i = 0; i < y.size(); ++i) {
        double largest = -1;
        for (std::size_t a = 0; a <= i; ++a) {
            double smallest = 1e9;
            for (std::size_t b = i; b < y.size(); ++b)
                smallest = std::min(smallest, mean(std::span(y).subspan(a, b - a + 1)));
            largest = std::max(largest, smallest);
        }
        EXPECT_NEAR(fit[i], largest, 1e-12) << i;
    }
}

TEST(Auc, ByHand) {
    // Pairs won: 3 > 1, 3 > 2; 2 > 1, and 2 = 2 counts half: 3.5 of 4
    EXPECT_DOUBLE_EQ(auc(Values{3, 2}, Values{1, 2}), 3.5 / 4);
    EXPECT_DOUBLE_EQ(auc(Values{5, 6}, Values{1, 2}), 1);
    EXPECT_DOUBLE_EQ(auc(Values{1, 2}, Values{5, 6}), 0);
    EXPECT_DOUBLE_EQ(auc(Values{1, 1}, Values{1}), 0.5);
}

TEST(Auc, CountsPairsWithManyTies) {
    Random random(1, "auc");
    Values a(70), b(90);
    for (double& v : a)
        v = static_cast<double>(random.below(12)) + 1;
    for (double& v : b)
        v = static_cast<double>(random.below(12));
    double wins = 0;
    for (double p : a)
        for (double n : b)
            wins += p > n ? 1 : p == n ? 0.5 : 0;
    EXPECT_DOUBLE_EQ(auc(a, b), wins / (70 * 90));
    EXPECT_DOUBLE_EQ(auc(a, b) + auc(b, a), 1);
}

TEST(AucSe, HanleyAndMcNeilByHand) {
    // a = 3/4, 2 and 3 samples: Q1 = a/(2-a) = 3/5, Q2 = 2a^2/(1+a) = 9/14, a^2 = 9/16
    double const variance = (3.0 / 16 + 1 * (3.0 / 5 - 9.0 / 16) + 2 * (9.0 / 14 - 9.0 / 16)) / 6;
    EXPECT_NEAR(auc_se(0.75, 2, 3), std::sqrt(variance), 1e-15);
    EXPECT_DOUBLE_EQ(auc_se(1, 20, 30), 0);
    // No difference: the exact variance of the rank sum, (m + n + 1) / (12 m n)
    EXPECT_NEAR(auc_se(0.5, 40, 60), std::sqrt(101.0 / (12 * 40 * 60)), 1e-15);
}

TEST(Stats, QuantilesEqualThoseOfTheSortedArray) {
    for (std::size_t n : {1U, 2U, 3U, 10U, 101U}) {
        Values x;
        for (std::size_t i = 0; i < n; ++i)
            x.push_back(static_cast<double>((i * 37) % 11)); // with ties
        std::array const levels{0.0, 0.16, 0.5, 0.5, 0.84, 1.0};
        Values const all = quantiles(x, levels), ascending = sorted(x);
        for (std::size_t k = 0; k < levels.size(); ++k)
            EXPECT_EQ(all[k], quantile_sorted(ascending, levels[k])) << n << " " << k;
    }
}

} // namespace
} // namespace assay
