#include "assay/usage/score.hpp"

#include "mixture.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace assay::usage {
namespace {

// 0..100: median 50, 16 % quantile 16, 84 % quantile 84, hence width 34
std::vector<double> ruler() {
    std::vector<double> values(101);
    std::iota(values.begin(), values.end(), 0.0);
    return values;
}

TEST(Score, MeasuresInHalfWidthsFromTheMedianAndClipsAtSix) {
    SignalTable const reference{{"loss"}, {ruler()}};
    SignalTable const suspects{{"loss"}, {{50, 84, 16, 1e9, -1e9}}};
    ScorePair const scores = zsum(suspects, reference);
    std::vector<double> const expected{0, 1, -1, 6, -6};
    for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_NEAR(scores.suspects.z[i], expected[i], 1e-12);
    EXPECT_NEAR(scores.reference.z[67], 0.5, 1e-12);
}

TEST(Score, AveragesSignalsAndBlocks) {
    SignalTable const reference{{"loss", "input_gradient", "margin"}, {ruler(), ruler(), ruler()}};
    SignalTable const suspects{reference.names, {{84, 50}, {50, 50}, {118, 16}}};
    Scores const scores = zsum(suspects, reference).suspects;
    EXPECT_NEAR(scores.z[0], (1 + 0 + 2) / 3.0, 1e-12);
    EXPECT_NEAR(scores.z[1], -1 / 3.0, 1e-12);
    EXPECT_NEAR(scores.block_a[0], 1.5, 1e-12);
    EXPECT_NEAR(scores.block_b[0], 0, 1e-12);
}

TEST(Score, HasNoBlocksWhereOneIsEmpty) {
    SignalTable const reference{{"loss", "margin"}, {ruler(), ruler()}};
    ScorePair const scores = zsum(reference, reference);
    EXPECT_TRUE(scores.suspects.block_a.empty());
    EXPECT_TRUE(scores.suspects.block_b.empty());
}

TEST(Score, LeavesOutSignalsThatAreConstantOverTheMiddleOfTheReference) {
    std::vector<double> spiked(101, 4.0);
    spiked[7] = 100;
    SignalTable const reference{{"loss", "margin"}, {ruler(), spiked}};
    EXPECT_EQ(usable_signals(fit_scale(reference)), std::vector<std::size_t>{0});
    SignalTable const alone{{"loss"}, {ruler()}};
    EXPECT_EQ(zsum(reference, reference).suspects.z, zsum(alone, alone).suspects.z);
    SignalTable const constant{{"margin"}, {spiked}};
    EXPECT_TRUE(zsum(constant, constant).suspects.z.empty());
}

TEST(Score, DoesNotDependOnUnits) {
    Random random(1, "test");
    SignalTable reference = test::signals(random, 200, 0, 0);
    SignalTable suspects = test::signals(random, 200, 0.5, 2);
    std::vector<double> const before = zsum(suspects, reference).suspects.z;
    for (SignalTable* table : {&reference, &suspects})
        for (double& value : table->columns[2])
            value *= 8; // exact in binary
    EXPECT_EQ(zsum(suspects, reference).suspects.z, before);
}

} // namespace
} // namespace assay::usage
