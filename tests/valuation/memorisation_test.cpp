#include "assay/valuation/memorisation.hpp"

#include "assay/base/random.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <numeric>
#include <vector>

namespace assay::valuation {
namespace {

using Values = std::vector<double>;

void add(NearestRows& nearest, std::int64_t row, Values const& distances) {
    std::vector<std::int64_t> rows(distances.size());
    std::iota(rows.begin(), rows.end(), row);
    nearest.add(rows, distances);
}

TEST(NearestRows, ListsTheRelativelyNearest) {
    NearestRows nearest(2);
    add(nearest, 10, {1, 1, 1, 1});   // near to all: R = 2
    add(nearest, 20, {2, 20, 20, 6}); // R = 2/(0.5 * 12) = 1/3
    add(nearest, 30, {0, 9, 9, 9});   // a duplicate
    add(nearest, 40, {3, 5, 5, 5});   // R = 4/3
    std::vector<CopyCandidate> const found = nearest.candidates();
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].generated, 2);
    EXPECT_EQ(found[0].row, 30);
    EXPECT_EQ(found[0].relative, 0);
    EXPECT_EQ(found[1].generated, 1);
    EXPECT_DOUBLE_EQ(found[1].relative, 1. / 3);
    EXPECT_EQ(found[1].distance, 2);
    EXPECT_EQ(nearest.duplicates(), 1);
    EXPECT_EQ(nearest.averaged(), 4);
    EXPECT_EQ(nearest.distances(), (Values{1, 2, 0, 3}));
}

TEST(NearestRows, AveragesFiftyAtMost) {
    NearestRows nearest(1);
    Values distances(60, 4);
    distances[0] = 1;
    std::fill(distances.begin() + 50, distances.end(), 1000);
    add(nearest, 0, distances);
    EXPECT_DOUBLE_EQ(nearest.candidates()[0].relative, 1 / (0.5 * (1 + 49 * 4) / 50));
    EXPECT_EQ(nearest.averaged(), 50);
}

TEST(NearestRows, HasNoRelativeDistanceForInnerProducts) {
    NearestRows nearest(2);
    add(nearest, 0, {-5, 10, 10});
    add(nearest, 1, {-6, -1, 2});
    std::vector<CopyCandidate> const found = nearest.candidates();
    EXPECT_TRUE(std::isnan(found[0].relative));
    EXPECT_EQ(found[0].generated, 1); // then by distance
}

TEST(NearestRows, MayListNothing) {
    NearestRows nearest(0);
    add(nearest, 0, {1, 2});
    EXPECT_TRUE(nearest.candidates().empty());
}

TEST(NearerTest, CountsTiesHalf) {
    NearerTest const test = nearer_test(Values{1, 2, 3, 4}, Values{2, 2, 2, 5}, 30, 10);
    EXPECT_DOUBLE_EQ(test.share, 2.5 / 4);
    EXPECT_DOUBLE_EQ(test.expected, 0.75);
    EXPECT_NEAR(test.z, (0.625 - 0.75) / std::sqrt(0.75 * 0.25 / 4), 1e-12);
    // As many held-out as training rows: z = (p - 1/2) 2 sqrt(m)
    EXPECT_NEAR(nearer_test(Values{1, 2, 3, 4}, Values{2, 2, 2, 5}, 30, 30).z, 0.125 * 2 * 2, 1e-12);
    EXPECT_TRUE(std::isnan(nearer_test(Values{1}, Values{2}, 30, 0).z));
}

// Points on a line, generated like training and held-out: no test fires; drawn at training points: both do
TEST(Memorisation, FiresOnCopiesAlone) {
    constexpr std::size_t kRows = 400, kHeldOut = 200, kQueries = 300;
    Random random(1, "test");
    auto const draw = [&](std::size_t n) {
        Values points(n);
        for (double& x : points)
            x = random.uniform();
        return points;
    };
    auto const distances = [](Values const& from, Values const& to) {
        Values nearest;
        for (double x : from) {
            double least = 2;
            for (double y : to)
                least = std::min(least, std::abs(x - y));
            nearest.push_back(least);
        }
        return nearest;
    };
    Values const training = draw(kRows), held_out = draw(kHeldOut), honest = draw(kQueries);
    Values copies = draw(kQueries);
    for (std::size_t j = 0; j < kQueries; ++j)
        copies[j] = training[j] + 1e-4 * copies[j];
    Values const held_out_to_training = distances(held_out, training);
    auto const run = [&](Values const& generated) {
        return std::pair(
            nearer_test(distances(generated, training), distances(generated, held_out), kRows, kHeldOut),
            copying_test(distances(generated, training), held_out_to_training));
    };
    auto const [nearer, copying] = run(honest);
    EXPECT_LT(std::abs(nearer.z), 3);
    EXPECT_LT(std::abs(copying.z), 3);
    auto const [nearer_copies, copying_copies] = run(copies);
    EXPECT_GT(nearer_copies.z, 8);
    EXPECT_LT(copying_copies.z, -8);
}

// Over all assignments of the pooled ranks, U has mean mn/2 and the variance in z
TEST(CopyingTest, HasThePermutationVariance) {
    Values const pooled{1, 2, 2, 2, 5, 7, 7};
    double mean = 0, squares = 0;
    int assignments = 0;
    for (unsigned chosen = 0; chosen < 1U << 7; ++chosen) {
        if (std::popcount(chosen) != 3)
            continue;
        Values a, b;
        for (std::size_t i = 0; i < 7; ++i)
            (chosen >> i & 1 ? a : b).push_back(pooled[i]);
        double const z = copying_test(a, b).z;
        mean += z;
        squares += z * z;
        ++assignments;
    }
    EXPECT_NEAR(mean / assignments, 0, 1e-12);
    EXPECT_NEAR(squares / assignments, 1, 1e-12);
    EXPECT_EQ(copying_test(Values{1, 1}, Values{1, 1}).z, 0);
    EXPECT_EQ(copying_test(Values{1, 2}, Values{3, 4}).auc, 0);
}

} // namespace
} // namespace assay::valuation
