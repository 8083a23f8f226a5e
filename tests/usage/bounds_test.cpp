#include "assay/usage/bounds.hpp"

#include "mixture.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

namespace assay::usage {
namespace {

using test::ascending;
using test::mixture;

double share_up_to(std::vector<double> const& scores, double c) {
    double count = 0;
    for (double z : scores)
        count += z <= c;
    return count / static_cast<double>(scores.size());
}

// Members drawn item by item, as the bounds assume
std::vector<double> random_mixture(Random& random, std::size_t n, double p, double gap) {
    std::vector<double> scores(n);
    for (double& z : scores) {
        double const shift = random.uniform() < p ? gap : 0;
        z = random.normal() + shift;
    }
    return ascending(scores);
}

TEST(Dkw, HalfWidthsOfAThousandDraws) { // T9
    EXPECT_NEAR(dkw_half_width(1000, 0.05), 0.0429, 5e-5);
    EXPECT_NEAR(dkw_half_width(1000, 0.05 / 2), 0.0468, 5e-5);
}

TEST(Dkw, IsTheLargestOverEveryScore) {
    Random random(1, "test");
    std::vector<double> u = mixture(random, 300, 0.7, 2), n = mixture(random, 250, 0, 0);
    for (std::vector<double>* side : {&u, &n})
        for (double& z : *side)
            z = std::round(4 * z); // with ties
    double best = 0;
    for (std::vector<double> const& side : {u, n})
        for (double c : side) {
            double const below = share_up_to(n, c) - std::sqrt(std::log(2 / 0.05) / 500);
            if (below > 0)
                best = std::max(best, 1 - (share_up_to(u, c) + std::sqrt(std::log(2 / 0.05) / 600)) / below);
        }
    EXPECT_GT(best, 0.1);
    EXPECT_NEAR(dkw_lower_bound(ascending(u), ascending(n), 0.05), best, 1e-12);
}

TEST(Dkw, PValueIsWhereTheBoundTurnsPositive) {
    Random random(2, "test");
    std::vector<double> const u = ascending(mixture(random, 400, 0.2, 1.8));
    std::vector<double> const n = ascending(mixture(random, 300, 0, 0));
    double const p_value = dkw_p_value(u, n);
    ASSERT_LT(p_value, 1);
    EXPECT_GT(dkw_lower_bound(u, n, 1.001 * p_value), 0);
    EXPECT_EQ(dkw_lower_bound(u, n, 0.999 * p_value), 0);
}

TEST(ClopperPearson, KnownEnds) {
    EXPECT_EQ(clopper_pearson_lower(0, 10, 0.025), 0);
    EXPECT_EQ(clopper_pearson_upper(10, 10, 0.025), 1);
    EXPECT_NEAR(clopper_pearson_upper(0, 10, 0.025), 1 - std::pow(0.025, 0.1), 1e-12);
    EXPECT_NEAR(clopper_pearson_lower(10, 10, 0.025), std::pow(0.025, 0.1), 1e-12);
}

TEST(ClopperPearson, LeavesTheWantedTail) {
    double const low = clopper_pearson_lower(7, 20, 0.01);
    double const high = clopper_pearson_upper(7, 20, 0.01);
    double at_least = 0, at_most = 0, choose = 1; // choose = C(20, k)
    for (int k = 0; k <= 20; choose *= (20.0 - k) / (k + 1), ++k) {
        at_least += k >= 7 ? choose * std::pow(low, k) * std::pow(1 - low, 20 - k) : 0;
        at_most += k <= 7 ? choose * std::pow(high, k) * std::pow(1 - high, 20 - k) : 0;
    }
    EXPECT_NEAR(at_least, 0.01, 1e-10);
    EXPECT_NEAR(at_most, 0.01, 1e-10);
}

struct Cell {
    double gap;
    std::size_t n;
    double p, dkw, grid;
};

// Section 14.2's table (an independent simulation), and no more violations than 5 % of 150
TEST(LowerBounds, ReachTheExpectedMeansAndHold) {
    int constexpr kTrials = 150;
    for (Cell const& cell :
         {Cell{test::kGapAuc80, 500, 0.5, 0.21, 0.18}, Cell{test::kGapAuc90, 1000, 0.5, 0.35, 0.33},
          Cell{test::kGapAuc80, 500, 0.9, 0.54, 0.58}}) {
        double dkw = 0, grid = 0;
        int dkw_above = 0, grid_above = 0;
        for (int trial = 0; trial < kTrials; ++trial) {
            Random random(3, "test", static_cast<std::uint64_t>(trial));
            std::vector<double> const u = random_mixture(random, cell.n, cell.p, cell.gap);
            std::vector<double> const n = ascending(mixture(random, cell.n, 0, 0));
            double const a = dkw_lower_bound(u, n, 0.05);
            double const b = grid_lower_bound(u, n, 0.05);
            dkw += a / kTrials;
            grid += b / kTrials;
            dkw_above += a > cell.p;
            grid_above += b > cell.p;
        }
        EXPECT_NEAR(dkw, cell.dkw, 0.03) << cell.gap << ' ' << cell.p;
        EXPECT_NEAR(grid, cell.grid, 0.03) << cell.gap << ' ' << cell.p;
        EXPECT_LE(dkw_above, 7);
        EXPECT_LE(grid_above, 7);
    }
}

// Members without any low score: both bounds press hardest against p there
TEST(Bounds, HoldWhereTheyAreTight) {
    int low_dkw = 0, low_grid = 0, high = 0;
    for (int trial = 0; trial < 300; ++trial) {
        Random random(4, "test", static_cast<std::uint64_t>(trial));
        std::vector<double> const u = random_mixture(random, 500, 0.5, 50);
        std::vector<double> const n = ascending(mixture(random, 500, 0, 0));
        low_dkw += dkw_lower_bound(u, n, 0.05) > 0.5;
        low_grid += grid_lower_bound(u, n, 0.05) > 0.5;
        high += rare_member_upper_bound(u, n, 0.05) < 0.5;
    }
    EXPECT_LE(low_dkw, 15 + 8); // 5 % and two standard errors
    EXPECT_LE(low_grid, 15 + 8);
    EXPECT_LE(high, 15 + 8);
}

TEST(UpperBound, IsOneMinusTheCountsAtTheTenPercentQuantile) {
    std::vector<double> n(1000), u;
    for (std::size_t i = 0; i < n.size(); ++i)
        n[i] = static_cast<double>(i);
    u.assign(40, 50.0); // 40 suspects below the 100-th reference score, 99
    u.resize(1000, 5000.0);
    double const expected =
        (1 - clopper_pearson_lower(40, 1000, 0.0125) / clopper_pearson_upper(100, 1000, 0.0125)) / 0.9;
    EXPECT_DOUBLE_EQ(rare_member_upper_bound(u, n, 0.025), expected);
    EXPECT_GT(expected, 0.6); // the plain ratio gives p = 0.6
}

TEST(UpperBound, HoldsForAsManyLowMembersAsAssumed) {
    constexpr double kP = 0.8;
    int violated = 0;
    double mean_bound = 0;
    for (int trial = 0; trial < 300; ++trial) {
        Random random(6, "test", static_cast<std::uint64_t>(trial));
        std::vector<double> u, n;
        for (int i = 0; i < 1000; ++i) {
            n.push_back(random.uniform());
            bool const member = random.uniform() < kP, low = random.uniform() < 0.01;
            u.push_back(!member ? random.uniform() : low ? 0.1 * random.uniform() : 2);
        }
        double const bound = rare_member_upper_bound(ascending(u), ascending(n), 0.05);
        violated += bound < kP;
        mean_bound += bound / 300;
    }
    EXPECT_LE(violated, 15 + 8); // 5 % and two standard errors
    EXPECT_LT(mean_bound, 0.95);
}

TEST(TailTest, FourAboveFour) { // T6
    EXPECT_NEAR(tail_probability(4, 1, 4, 4), 1.0 / 70, 1e-12);
    EXPECT_EQ(tail_probability(0, 1, 4, 4), 1);
}

// Every order of 3 suspects and 5 reference items is equally likely under p = 0: count them
TEST(TailTest, IsTheShareOfOrders) {
    for (std::size_t j = 1; j <= 5; ++j)
        for (std::size_t k = 1; k <= 3; ++k) {
            int orders = 0, as_extreme = 0;
            for (unsigned order = 0; order < 256; ++order) { // bit i = 1: i-th largest is a suspect
                if (std::popcount(order) != 3)
                    continue;
                ++orders;
                std::size_t suspects = 0, reference = 0;
                for (unsigned i = 0; reference < j; ++i)
                    (order >> i & 1 ? suspects : reference) += 1;
                as_extreme += suspects >= k;
            }
            EXPECT_NEAR(tail_probability(k, j, 3, 5), static_cast<double>(as_extreme) / orders, 1e-12)
                << j << ' ' << k;
        }
}

TEST(TailTest, RejectsNoMoreThanItShould) {
    int rejected = 0;
    for (int trial = 0; trial < 400; ++trial) {
        Random random(5, "test", static_cast<std::uint64_t>(trial));
        std::vector<double> const u = ascending(mixture(random, 500, 0, 0));
        std::vector<double> const n = ascending(mixture(random, 500, 0, 0));
        rejected += tail_test(u, n).p_value < 0.05;
    }
    EXPECT_LE(rejected, 20);
    EXPECT_GT(rejected, 0); // a test that never rejects is broken too
}

TEST(TailTest, SeesAFewExtremeMembers) {
    Random random(6, "test");
    std::vector<double> const n = ascending(mixture(random, 1000, 0, 0));
    EXPECT_LT(tail_test(ascending(mixture(random, 1000, 0.03, 6)), n).p_value, 1e-4);
    EXPECT_EQ(tail_test(std::vector<double>(1000, n.back()), n).suspects_above[0], 0u); // ties do not count
}

TEST(Bounds, DependOnTheOrderAlone) { // I1
    Random random(7, "test");
    std::vector<double> u = ascending(mixture(random, 400, 0.4, 1.8)),
                        n = ascending(mixture(random, 300, 0, 0));
    auto const all = [&] {
        return std::vector<double>{dkw_lower_bound(u, n, 0.05), dkw_p_value(u, n),
                                   grid_lower_bound(u, n, 0.05), rare_member_upper_bound(u, n, 0.05),
                                   tail_test(u, n).p_value};
    };
    std::vector<double> const before = all();
    for (std::vector<double>* side : {&u, &n})
        for (double& z : *side)
            z = std::exp(z);
    EXPECT_EQ(all(), before);
}

} // namespace
} // namespace assay::usage
