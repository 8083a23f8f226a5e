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
    EXPECT_NEAR(best_bin({u, n}).value(), 0.3, 1e-12);
    // Edges of pooled content 0.2 and 0.4 fall into bins 2 and 4: bins 0-2 give the smaller (0.21 +
    // 2/1000)/0.3
    EXPECT_NEAR(density_ratio({u, n}).value(), 1 - 0.212 / 0.3, 1e-12);
}

TEST(Estimators, CountOnlyMembersThatScoreApart) { // T2: half of the members score like others, p = 0.4
    std::vector<double> const n = bins(std::vector<int>(10, 1000));
    std::vector<double> const u = bins({800, 800, 800, 800, 800, 1200, 1200, 1200, 1200, 1200});
    EXPECT_NEAR(dedpul({u, n}).value(), 0.2, 0.005);
    EXPECT_NEAR(patra_sen({u, n}).value(), 0.2, 0.02);
    EXPECT_LE(patra_sen({u, n}).value(), 0.2);
    EXPECT_LE(tice({u, n}).value(), 0.2); // its bounds are wide: it takes a million rows to come near
    std::vector<double> const many_n = bins(std::vector<int>(10, 100000));
    std::vector<double> const many_u =
        bins({80000, 80000, 80000, 80000, 80000, 120000, 120000, 120000, 120000, 120000});
    EXPECT_NEAR(tice({many_u, many_n}).value(), 0.2, 0.025);
    EXPECT_LE(tice({many_u, many_n}).value(), 0.2);
    EXPECT_NEAR(best_bin({u, n}).value(), 0.2, 1e-12);
    EXPECT_NEAR(density_ratio({u, n}).value(), 0.2, 0.01);
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
        EXPECT_NEAR(best_bin({u, n}).value(), expected, 1e-12) << trial;
    }
}

TEST(BestBin, DoesNotTrustLessThanATenthOfTheReference) {
    std::vector<double> const n = bins({5000, 45000, 50000});
    std::vector<double> const u = bins({0, 30000, 70000});
    EXPECT_NEAR(best_bin({u, n}).value(), 0.4, 1e-12); // bin 0 alone says 1
}

TEST(BestBin, IsZeroForIdenticalSides) {
    Random random(2, "test");
    std::vector<double> const n = ascending(mixture(random, 500, 0, 0));
    EXPECT_EQ(best_bin({n, n}).value(), 0);
    EXPECT_EQ(density_ratio({n, n}).value(), 0);
    EXPECT_FALSE(em_shared_width({n, n}));
}

TEST(Estimators, DependOnTheOrderAlone) { // I1: those made of ranks
    Random random(3, "test");
    std::vector<double> u = ascending(mixture(random, 300, 0.5, 1.5)),
                        n = ascending(mixture(random, 200, 0, 0));
    std::optional<double> const bin = best_bin({u, n}), distance = patra_sen({u, n});
    EXPECT_GT(distance.value(), 0.1);
    for (std::vector<double>* side : {&u, &n})
        for (double& z : *side)
            z = z * z * z;
    EXPECT_EQ(best_bin({u, n}), bin);
    EXPECT_EQ(patra_sen({u, n}), distance);
}

using Values = std::vector<double>;

// Of suspects in blocks a and b, and of reference rows
std::optional<double> moment(Values const& suspects_a, Values const& suspects_b, Values const& reference_a,
                             Values const& reference_b) {
    return covariance_moment({{}, {}, suspects_a, suspects_b, reference_a, reference_b});
}

TEST(CovarianceMoment, KnownPoints) { // T4: members at (2, 3), others at the origin, p = 0.25
    std::vector<double> a(40000, 0.0), b(40000, 0.0);
    std::fill_n(a.begin(), 10000, 2.0);
    std::fill_n(b.begin(), 10000, 3.0);
    std::vector<double> const zero(40000, 0.0);
    EXPECT_NEAR(covariance(a, b), 1.125, 1e-4);
    std::optional<double> const p = moment(a, b, zero, zero);
    ASSERT_TRUE(p);
    EXPECT_NEAR(*p, 0.25, 1e-4);
}

TEST(CovarianceMoment, NeedsTwoBlocksThatDiffer) {
    Random random(4, "test");
    std::vector<double> const a = mixture(random, 500, 0.5, 2), b = mixture(random, 500, 0.5, 2);
    std::vector<double> const c = mixture(random, 500, 0, 0), d = mixture(random, 500, 0, 0);
    EXPECT_TRUE(moment(a, b, c, d));
    EXPECT_FALSE(moment(a, d, c, d));
    EXPECT_FALSE(moment(c, b, c, d));
    EXPECT_FALSE(moment(c, d, a, b)); // two negative differences are no evidence
    EXPECT_FALSE(covariance_moment({}));
}

TEST(Em, FindsTheMixtureItAssumes) {
    Random random(5, "test");
    std::vector<double> const u = mixture(random, 20000, 0.3, 2.5), n = mixture(random, 20000, 0, 0);
    std::optional<double> const p = em_shared_width({u, n});
    ASSERT_TRUE(p);
    EXPECT_NEAR(*p, 0.3, 0.02);
}

TEST(Em, ReportsNothingWithoutGain) {
    Random random(6, "test");
    std::vector<double> const n = mixture(random, 1000, 0, 0);
    EXPECT_FALSE(em_shared_width({mixture(random, 1000, 0, 0), n}));
    EXPECT_FALSE(em_shared_width({mixture(random, 1000, 0.5, -2), n})); // members may not score below
    EXPECT_FALSE(em_shared_width({n, std::vector<double>(1000, 1.0)}));
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
            bin += std::abs(best_bin({u, n}).value() - p) / (kTrials * static_cast<double>(fractions.size()));
            ratio += std::abs(density_ratio({u, n}).value() - p) /
                     (kTrials * static_cast<double>(fractions.size()));
        }
    EXPECT_NEAR(bin, 0.058, 0.2 * 0.058);
    EXPECT_NEAR(ratio, 0.066, 0.2 * 0.066);
}

void add(std::array<double, kEstimators.size()>& sums, Estimates const& estimates) {
    for (std::size_t e = 0; e < sums.size(); ++e)
        sums[e] += estimates[e].value();
}

TEST(Estimators, ShrinkWithAddedNonMembers) { // I2
    int constexpr kTrials = 10;
    std::array<double, kEstimators.size()> before{}, after{};
    for (int trial = 0; trial < kTrials; ++trial) {
        Random random(8, "test", static_cast<std::uint64_t>(trial));
        SignalTable u = test::signals(random, 2000, 0.8, 3);
        SignalTable const n = test::signals(random, 2000, 0, 0), fresh = test::signals(random, 2000, 0, 0);
        add(before, estimate(zsum(u, n)));
        for (std::size_t k = 0; k < u.columns.size(); ++k)
            u.columns[k].insert(u.columns[k].end(), fresh.columns[k].begin(), fresh.columns[k].end());
        add(after, estimate(zsum(u, n)));
    }
    for (std::size_t e = 0; e < before.size(); ++e) {
        EXPECT_GT(before[e], 0.6 * kTrials) << kEstimators[e].name;
        // TIcE's bounds are relatively wider where p is small
        double const tolerance = e == estimator("tice") ? 0.15 : 0.05;
        EXPECT_NEAR(after[e] / before[e], 0.5, tolerance) << kEstimators[e].name;
    }
}

TEST(Estimators, AreZeroForIdenticalSidesAndFullForSeparateOnes) {
    Random random(10, "test");
    std::vector<double> const n = ascending(mixture(random, 1000, 0, 0)),
                              all = ascending(mixture(random, 1000, 1, 100));
    for (auto const estimator : {best_bin, density_ratio, tice, patra_sen, dedpul}) {
        EXPECT_NEAR(estimator({n, n}).value(), 0, 1e-9);
        EXPECT_GT(estimator({all, n}).value(),
                  0.93); // a median over 5 % of the suspects keeps DEDPUL below 0.95
    }
}

TEST(Estimators, FindAMixtureOfSeparateSides) {
    Random random(11, "test");
    std::vector<double> const n = ascending(mixture(random, 4000, 0, 0)),
                              u = ascending(mixture(random, 4000, 0.4, 8));
    EXPECT_NEAR(patra_sen({u, n}).value(), 0.4, 0.03);
    EXPECT_NEAR(dedpul({u, n}).value(), 0.45, 0.05); // the largest of noisy ratios is too large
    EXPECT_NEAR(tice({u, n}).value(), 0.3, 0.05);    // the largest of careful bounds is too small
}

TEST(CovarianceMoment, DoublesAShiftOfTheReference) { // T12: -2 (1-p) b/d = -+0.084
    std::size_t constexpr kRows = 400000;
    double const b = 0.1, gap = test::kGapAuc80;
    for (double sign : {-1.0, 1.0}) {
        Random random(12, "test");
        Values const suspects_a = mixture(random, kRows, 0.5, gap),
                     suspects_b = mixture(random, kRows, 0.5, gap);
        Values const reference_a = mixture(random, kRows, 1, sign * b),
                     reference_b = mixture(random, kRows, 1, sign * b);
        double const p = moment(suspects_a, suspects_b, reference_a, reference_b).value();
        EXPECT_NEAR(p - 0.5, -sign * 0.084, 0.015) << sign;
    }
}

TEST(Tice, TurnsTheLabelFrequencyIntoAFraction) { // T7: of the suspects, 0.6 are not members
    EXPECT_NEAR(fraction_of_label_frequency(1000.0 / 1600, 1000, 1000), 0.4, 1e-12);
    EXPECT_NEAR(fraction_of_label_frequency(500.0 / 1100, 1000, 500), 0.4, 1e-12);
    EXPECT_EQ(fraction_of_label_frequency(0.1, 1000, 1000), 0);
    EXPECT_EQ(fraction_of_label_frequency(1, 1000, 500), 1);
}

TEST(Tice, NeedsScoresThatDiffer) {
    std::vector<double> const one(30, 1.0);
    EXPECT_FALSE(tice({one, one}));
    EXPECT_FALSE(dedpul({std::vector<double>{1, 2, 3}, one}));
    std::vector<double> const two = bins({15, 15});
    EXPECT_LT(tice({two, two}).value(), 0.1); // ranges that no cut can narrow
}

TEST(DedpulEm, StopsWhereItsStartDecides) { // T11
    std::vector<double> const ratios{1.6, 1.6, 0.4, 0.4};
    EXPECT_NEAR(dedpul_em(ratios, 0), 1 - 1 / 1.6, 1e-5);
    EXPECT_LE(dedpul_em(ratios, 0), 1 - 1 / 1.6);
    EXPECT_EQ(dedpul_em(ratios, 1), 1);
    EXPECT_NEAR(dedpul_em(ratios, 0.7), 0.7, 1e-12); // a fixed point like all above
    EXPECT_EQ(dedpul_em(std::vector<double>(5, 1.0), 0), 0);
}

TEST(Estimate, ReportsAllSideBySide) {
    Random random(9, "test");
    SignalTable const n = test::signals(random, 1000, 0, 0), u = test::signals(random, 1000, 0.5, 3);
    Estimates const all = estimate(zsum(u, n)), some = estimate(zsum(u, n), kResampled);
    for (std::size_t e = 0; e < all.size(); ++e) {
        EXPECT_NEAR(all[e].value(), 0.5, 0.15) << kEstimators[e].name;
        EXPECT_EQ(some[e], e < kResampled ? all[e] : std::nullopt) << kEstimators[e].name;
    }
    static_assert(estimator("best_bin") == 0 && estimator("dedpul") == 6);
}

} // namespace
} // namespace assay::usage
