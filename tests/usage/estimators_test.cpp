#include "assay/usage/estimators.hpp"

#include "assay/base/stats.hpp"
#include "assay/usage/bounds.hpp"
#include "mixture.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace assay::usage {
namespace {

using test::ascending;
using test::mixture;

std::vector<double> bins(std::vector<int> const& counts) {
    std::vector<double> scores;
    for (std::size_t bin = 0; bin < counts.size(); ++bin)
        scores.insert(scores.end(), static_cast<std::size_t>(counts[bin]), static_cast<double>(bin));
    return scores;
}

TEST(BestBin, FindsTheMemberFreeBins) { // T1: members only in the upper five of ten bins, p = 0.3
    std::vector<double> const n = bins(std::vector<int>(10, 100));
    std::vector<double> const u = bins({70, 70, 70, 70, 70, 130, 130, 130, 130, 130});
    Shares const middle = shares_at_reference(u, n)[4];
    EXPECT_DOUBLE_EQ(middle.suspects, 0.35);
    EXPECT_DOUBLE_EQ(middle.reference, 0.5);
    EXPECT_NEAR(best_bin(u, n), 0.3, 1e-12);
    // Edges of pooled content 0.2 and 0.4 fall into bins 2 and 4: bins 0-2 give the smaller (0.21 +
    // 2/1000)/0.3
    EXPECT_NEAR(density_ratio(u, n), 1 - 0.212 / 0.3, 1e-12);
}

TEST(BestBin, CountsOnlyMembersThatScoreApart) { // T2: half of the members score like the reference, p = 0.4
    std::vector<double> const n = bins(std::vector<int>(10, 1000));
    std::vector<double> const u = bins({800, 800, 800, 800, 800, 1200, 1200, 1200, 1200, 1200});
    EXPECT_NEAR(best_bin(u, n), 0.2, 1e-12);
    EXPECT_NEAR(density_ratio(u, n), 0.2, 0.01);
    EXPECT_LE(dkw_lower_bound(u, n, 0.05), 0.2);
    EXPECT_GT(dkw_lower_bound(u, n, 0.05), 0.1);
}

TEST(BestBin, MinimisesTheUpperLimit) {
    for (std::uint64_t trial = 0; trial < 300; ++trial) {
        Random random(1, "test", trial);
        std::vector<double> const u = ascending(mixture(random, 150, 0.5, 1.5));
        std::vector<double> const n = ascending(mixture(random, 120, 0, 0));
        double smallest = 1e300, expected = 0;
        for (double c : n) {
            double q_u = 0, q_n = 0;
            for (double z : u)
                q_u += (z <= c) / 150.0;
            for (double z : n)
                q_n += (z <= c) / 120.0;
            double const slack = std::sqrt(std::log(40.0) / 300) + std::sqrt(std::log(40.0) / 240);
            double const limit = q_u / q_n + 1.01 / q_n * slack;
            if (limit < smallest) { // never below a tenth of the reference here: the slack forbids it
                smallest = limit;
                expected = 1 - q_u / q_n;
            }
        }
        EXPECT_NEAR(best_bin(u, n), expected, 1e-12) << trial;
    }
}

TEST(BestBin, DoesNotTrustLessThanATenthOfTheReference) {
    std::vector<double> const n = bins({5000, 45000, 50000});
    std::vector<double> const u = bins({0, 30000, 70000});
    EXPECT_NEAR(best_bin(u, n), 0.4, 1e-12); // bin 0 alone says 1
}

TEST(BestBin, IsZeroForIdenticalSides) {
    Random random(2, "test");
    std::vector<double> const n = ascending(mixture(random, 500, 0, 0));
    EXPECT_EQ(best_bin(n, n), 0);
    EXPECT_EQ(density_ratio(n, n), 0);
    EXPECT_FALSE(em_shared_width(n, n));
}

TEST(BestBin, DependsOnTheOrderAlone) { // I1
    Random random(3, "test");
    std::vector<double> u = ascending(mixture(random, 300, 0.5, 1.5)),
                        n = ascending(mixture(random, 200, 0, 0));
    double const before = best_bin(u, n);
    for (std::vector<double>* side : {&u, &n})
        for (double& z : *side)
            z = z * z * z;
    EXPECT_EQ(best_bin(u, n), before);
}

Scores points(std::vector<double> const& a, std::vector<double> const& b) {
    return {{}, a, b};
}

TEST(CovarianceMoment, KnownPoints) { // T4: members at (2, 3), others at the origin, p = 0.25
    std::vector<double> a(40000, 0.0), b(40000, 0.0);
    std::fill_n(a.begin(), 10000, 2.0);
    std::fill_n(b.begin(), 10000, 3.0);
    std::vector<double> const zero(40000, 0.0);
    EXPECT_NEAR(covariance(a, b), 1.125, 1e-4);
    std::optional<double> const p = covariance_moment(points(a, b), points(zero, zero));
    ASSERT_TRUE(p);
    EXPECT_NEAR(*p, 0.25, 1e-4);
}

TEST(CovarianceMoment, NeedsTwoBlocksThatDiffer) {
    Random random(4, "test");
    std::vector<double> const a = mixture(random, 500, 0.5, 2), b = mixture(random, 500, 0.5, 2);
    std::vector<double> const c = mixture(random, 500, 0, 0), d = mixture(random, 500, 0, 0);
    EXPECT_TRUE(covariance_moment(points(a, b), points(c, d)));
    EXPECT_FALSE(covariance_moment(points(a, d), points(c, d)));
    EXPECT_FALSE(covariance_moment(points(c, b), points(c, d)));
    EXPECT_FALSE(covariance_moment(points(c, d), points(a, b))); // two negative differences are no evidence
    EXPECT_FALSE(covariance_moment({}, {}));
}

TEST(Em, FindsTheMixtureItAssumes) {
    Random random(5, "test");
    std::vector<double> const u = mixture(random, 20000, 0.3, 2.5), n = mixture(random, 20000, 0, 0);
    std::optional<double> const p = em_shared_width(u, n);
    ASSERT_TRUE(p);
    EXPECT_NEAR(*p, 0.3, 0.02);
}

TEST(Em, ReportsNothingWithoutGain) {
    Random random(6, "test");
    std::vector<double> const n = mixture(random, 1000, 0, 0);
    EXPECT_FALSE(em_shared_width(mixture(random, 1000, 0, 0), n));
    EXPECT_FALSE(em_shared_width(mixture(random, 1000, 0.5, -2), n)); // members may not score below
    EXPECT_FALSE(em_shared_width(n, std::vector<double>(1000, 1.0)));
}

// Section 14.1: mean absolute error over seven fractions, AUC 0.9, n = 500, to 20 %
TEST(Estimators, ReachTheExpectedErrors) {
    int constexpr kTrials = 60;
    double bin = 0, ratio = 0;
    std::vector<double> const fractions{0, 0.1, 0.25, 0.5, 0.75, 0.9, 1};
    for (double p : fractions)
        for (int trial = 0; trial < kTrials; ++trial) {
            Random random(7, "test", static_cast<std::uint64_t>(100 * trial + std::lround(20 * p)));
            std::vector<double> const u = ascending(mixture(random, 500, p, test::kGapAuc90));
            std::vector<double> const n = ascending(mixture(random, 500, 0, 0));
            bin += std::abs(best_bin(u, n) - p) / (kTrials * static_cast<double>(fractions.size()));
            ratio += std::abs(density_ratio(u, n) - p) / (kTrials * static_cast<double>(fractions.size()));
        }
    EXPECT_NEAR(bin, 0.058, 0.2 * 0.058);
    EXPECT_NEAR(ratio, 0.066, 0.2 * 0.066);
}

TEST(Estimators, ShrinkWithAddedNonMembers) { // I2
    double before = 0, after = 0, em_before = 0, em_after = 0;
    for (int trial = 0; trial < 20; ++trial) {
        Random random(8, "test", static_cast<std::uint64_t>(trial));
        std::vector<double> u = mixture(random, 2000, 0.8, 3);
        std::vector<double> const n = ascending(mixture(random, 2000, 0, 0));
        before += best_bin(ascending(u), n) / 20;
        em_before += em_shared_width(u, n).value() / 20;
        std::vector<double> const fresh = mixture(random, 2000, 0, 0);
        u.insert(u.end(), fresh.begin(), fresh.end());
        after += best_bin(ascending(u), n) / 20;
        em_after += em_shared_width(u, n).value() / 20;
    }
    EXPECT_NEAR(after, before / 2, 0.02);
    EXPECT_NEAR(em_after, em_before / 2, 0.02);
}

TEST(Estimate, ReportsAllSideBySide) {
    Random random(9, "test");
    SignalTable const n = test::signals(random, 1000, 0, 0), u = test::signals(random, 1000, 0.5, 3);
    Estimates const e = estimate(zsum(u, n));
    EXPECT_NEAR(e.best_bin, 0.5, 0.08);
    EXPECT_NEAR(e.density_ratio, 0.5, 0.08);
    EXPECT_NEAR(e.covariance_moment.value(), 0.5, 0.08);
    EXPECT_NEAR(e.em_shared_width.value(), 0.5, 0.08);
}

} // namespace
} // namespace assay::usage
