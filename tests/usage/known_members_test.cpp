#include "assay/usage/known_members.hpp"

#include "mixture.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace assay::usage {
namespace {

using test::ascending;
using test::mixture;
using Values = std::vector<double>;

TEST(AdjustedCount, UndoesTheRates) { // T3
    EXPECT_NEAR(adjusted_count(0.35, 0.6, 0.1), 0.5, 1e-12);
    EXPECT_EQ(adjusted_count(0.05, 0.6, 0.1), 0);
    EXPECT_EQ(adjusted_count(0.7, 0.6, 0.1), 1);
}

TEST(AdjustedCount, CountsAboveTheBestThreshold) {
    // Above 3: of the members 3/4, of the reference 1/5
    Values const members{3, 4, 5, 6}, reference{1, 2, 3, 3, 7}, suspects{0, 2, 2, 4, 5, 8, 9, 9};
    std::optional<AdjustedCount> const found = adjusted_count(suspects, members, reference);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->threshold, 3);
    double const p = (5.0 / 8 - 0.2) / 0.55;
    EXPECT_NEAR(found->fraction, p, 1e-12);
    double const variance = 5.0 / 8 * 3 / 8 / 8 + p * p * 0.75 * 0.25 / 4 + (1 - p) * (1 - p) * 0.2 * 0.8 / 5;
    EXPECT_NEAR(found->standard_error, std::sqrt(variance) / 0.55, 1e-12);
}

TEST(AdjustedCount, RefusesMembersThatScoreLikeOthers) {
    Random random(1, "test");
    Values const n = ascending(mixture(random, 2000, 0, 0));
    EXPECT_FALSE(adjusted_count(n, n, n));
    Values lower = n;
    for (double& z : lower)
        z -= 2;
    EXPECT_FALSE(adjusted_count(n, lower, n));
    EXPECT_FALSE(emq(n, lower, n));
    EXPECT_FALSE(emq(n, Values(5, 1.0), Values(5, 1.0)));
}

TEST(Emq, FindsThePriorOfABinarySymbol) { // T5
    Values posteriors(350, 0.8);
    posteriors.resize(1000, 0.2);
    EXPECT_NEAR(emq(posteriors, 0.5), 0.25, 1e-6);
}

// Scores that both assume: no bias, and as much spread as the standard error says
TEST(KnownMembers, FindTheFraction) {
    int constexpr kTrials = 100;
    for (double p : {0.2, 0.7}) {
        double mean_acc = 0, mean_emq = 0, squares = 0, variance = 0;
        for (int trial = 0; trial < kTrials; ++trial) {
            Random random(2, "test", static_cast<std::uint64_t>(trial));
            Values const u = ascending(mixture(random, 1000, p, 2));
            Values const m = ascending(mixture(random, 300, 1, 2)),
                         n = ascending(mixture(random, 1000, 0, 0));
            AdjustedCount const counted = adjusted_count(u, m, n).value();
            mean_acc += counted.fraction / kTrials;
            mean_emq += emq(u, m, n).value() / kTrials;
            squares += (counted.fraction - p) * (counted.fraction - p) / kTrials;
            variance += counted.standard_error * counted.standard_error / kTrials;
        }
        EXPECT_NEAR(mean_acc, p, 0.02);
        EXPECT_NEAR(mean_emq, p, 0.01);
        EXPECT_LT(squares, 1.3 * variance); // the number of members is fixed here, not drawn: less spread
        EXPECT_GT(squares, 0.3 * variance);
    }
}

TEST(KnownMembers, ShrinkWithAddedNonMembers) { // I2
    Random random(3, "test");
    Values u = ascending(mixture(random, 20000, 0.6, 2));
    Values const m = ascending(mixture(random, 20000, 1, 2)), n = ascending(mixture(random, 20000, 0, 0));
    double const counted = adjusted_count(u, m, n).value().fraction, maximised = emq(u, m, n).value();
    Values const fresh = mixture(random, 20000, 0, 0);
    u.insert(u.end(), fresh.begin(), fresh.end());
    u = ascending(u);
    EXPECT_NEAR(adjusted_count(u, m, n).value().fraction, counted / 2, 0.01);
    EXPECT_NEAR(emq(u, m, n).value(), maximised / 2, 0.01);
}

TEST(AdjustedCount, DependsOnTheOrderAlone) { // I1
    Random random(4, "test");
    Values u = ascending(mixture(random, 300, 0.5, 1.5)), m = ascending(mixture(random, 200, 1, 1.5)),
           n = ascending(mixture(random, 200, 0, 0));
    double const before = adjusted_count(u, m, n).value().fraction;
    for (Values* side : {&u, &m, &n})
        for (double& z : *side)
            z = std::exp(z);
    EXPECT_EQ(adjusted_count(u, m, n).value().fraction, before);
}

} // namespace
} // namespace assay::usage
