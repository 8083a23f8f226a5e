#include "assay/valuation/outliers.hpp"

#include "assay/base/random.hpp"
#include "assay/valuation/removal.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace assay::valuation {
namespace {

using Flags = std::vector<std::uint8_t>;
using Values = std::vector<double>;

TEST(DetectOutliers, HandCase) {
    // From the lowest score up: outlier; one of each at 2; clean; outlier
    OutlierDetection const found = detect_outliers(Values{2, 1, 2, 3, 4}, Flags{1, 1, 0, 0, 1}, 0.95);
    EXPECT_DOUBLE_EQ(found.auroc, 3.5 / 6);
    EXPECT_DOUBLE_EQ(found.average_precision, (1. + 2. / 3 + 3. / 5) / 3);
    EXPECT_DOUBLE_EQ(found.precision, 2. / 3);
    EXPECT_GE(found.interval.first, 0);
    EXPECT_LE(found.interval.second, 1);
    EXPECT_LT(found.interval.first, found.auroc);
}

TEST(DetectOutliers, TiesAtTheEdgeCountByExpectation) {
    OutlierDetection const found = detect_outliers(Values{0, 0, 0, 0, 1}, Flags{1, 0, 0, 0, 0}, 0.95);
    EXPECT_DOUBLE_EQ(found.precision, 0.25);
    EXPECT_DOUBLE_EQ(found.average_precision, 0.25);
    EXPECT_DOUBLE_EQ(found.auroc, 0.25 + 0.75 * 0.5);
}

TEST(DetectOutliers, IntervalCoversTheTruth) {
    // Normal scores one sd apart: P(clean > outlier) = Phi(1/sqrt 2)
    double const truth = 0.5 * std::erfc(-0.5);
    int covered = 0;
    for (std::uint64_t set = 0; set < 1000; ++set) {
        Random random(set, "test");
        Values scores;
        Flags outliers;
        for (int i = 0; i < 200; ++i) {
            outliers.push_back(i < 60);
            scores.push_back(random.normal() + (i < 60 ? 0 : 1));
        }
        OutlierDetection const found = detect_outliers(scores, outliers, 0.95);
        covered += found.interval.first <= truth && truth <= found.interval.second;
    }
    EXPECT_GE(covered, 925);
    EXPECT_LE(covered, 970);
}

// No outlier is ever hit, a share c of the others is: (1 + c)/2, exactly
TEST(ScoreOutliers, KnowsTheClosedForm) {
    Values credit{3, 2, 0, 0, 0, 0}, distance(6, std::nan(""));
    distance[0] = distance[1] = 1;
    std::vector<std::int64_t> const hits{2, 1, 0, 0, 0, 0};
    std::vector<std::uint64_t> const ids{1, 2, 3, 4, 5, 6};
    auto const found = score_outliers({credit, distance, hits, {}, ids}, Flags{0, 0, 0, 0, 1, 1}, 0.95, 1);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->coverage, 0.5);
    EXPECT_DOUBLE_EQ(found->credit.auroc, 0.75);
    EXPECT_DOUBLE_EQ(found->expected, 0.75);
    EXPECT_EQ(found->outliers_hit, 0u);
    EXPECT_EQ(found->outliers, 2u);
    EXPECT_FALSE(found->pixels.has_value());
    // Rows that are listed farther down than k: a distance, but no credit
    distance[2] = distance[3] = 9;
    std::vector<std::int64_t> const pixel_hits{0, 0, 0, 0, 1, 1};
    auto const more =
        score_outliers({credit, distance, hits, pixel_hits, ids}, Flags{0, 0, 0, 0, 1, 1}, 0.95, 1);
    EXPECT_DOUBLE_EQ(more->tie_broken.auroc, 1);
    EXPECT_DOUBLE_EQ(more->pixels->auroc, 0);
}

TEST(ScoreOutliers, NeedsBothKinds) {
    Values const ones(3, 1);
    std::vector<std::int64_t> const hits(3, 1);
    std::vector<std::uint64_t> const ids{1, 2, 3};
    EXPECT_FALSE(score_outliers({ones, ones, hits, {}, ids}, Flags{0, 0, 0}, 0.95, 1).has_value());
    EXPECT_FALSE(score_outliers({ones, ones, hits, {}, ids}, Flags{1, 1, 1}, 0.95, 1).has_value());
}

TEST(ScoreOutliers, RandomValuesKnowNothing) {
    constexpr std::size_t kRows = 20000;
    Values const ones(kRows, 1);
    std::vector<std::int64_t> const hits(kRows, 1);
    std::vector<std::uint64_t> ids(kRows);
    Flags outliers(kRows);
    for (std::size_t i = 0; i < kRows; ++i) {
        ids[i] = i;
        outliers[i] = i < 2000;
    }
    auto const found = score_outliers({ones, ones, hits, {}, ids}, outliers, 0.95, 1);
    EXPECT_NEAR(found->random.auroc, 0.5, 0.03);
    EXPECT_NEAR(found->random.precision, 0.1, 0.03);
    EXPECT_NEAR(found->random.average_precision, 0.1, 0.02);
    EXPECT_DOUBLE_EQ(found->credit.auroc, 0.5);
}

} // namespace
} // namespace assay::valuation
