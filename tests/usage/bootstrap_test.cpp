#include "assay/usage/bootstrap.hpp"

#include "assay/base/stats.hpp"
#include "mixture.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

namespace assay::usage {
namespace {

using Rows = std::span<std::size_t const>;

struct Sides {
    SignalTable suspects, reference;
    ScorePair operator()(Rows u, Rows n) const {
        return zsum(take_rows(suspects, u), take_rows(reference, n));
    }
};

Sides example() {
    Random random(1, "test");
    return {test::signals(random, 300, 0.5, 2.5), test::signals(random, 200, 0, 0)};
}

TEST(Bootstrap, ReplicatesDoNotDependOnTheirNumber) {
    Sides const sides = example();
    std::vector<Replicate> const few = bootstrap({300, 200, false, 3, 9}, sides);
    std::vector<Replicate> const many = bootstrap({300, 200, false, 6, 9}, sides);
    ASSERT_EQ(many.size(), 6u);
    EXPECT_EQ(std::memcmp(few.data(), many.data(), 3 * sizeof(Replicate)), 0);
    EXPECT_NE(many[0], many[1]);
    EXPECT_NE(bootstrap({300, 200, false, 1, 10}, sides)[0], few[0]);
}

TEST(Bootstrap, DrawsPairsTogetherAndSidesApart) {
    std::set<std::size_t> seen;
    auto const rescore = [&](bool paired) {
        return [&seen, paired](Rows u, Rows n) -> ScorePair {
            EXPECT_EQ(std::equal(u.begin(), u.end(), n.begin(), n.end()), paired);
            for (std::size_t row : u)
                EXPECT_LT(row, 50u);
            seen.insert(n.begin(), n.end());
            return {};
        };
    };
    for (Replicate const& replicate : bootstrap({50, 50, true, 20, 1}, rescore(true)))
        EXPECT_TRUE(std::isnan(replicate[0]));
    EXPECT_EQ(seen.size(), 50u);
    seen.clear();
    bootstrap({50, 80, false, 20, 1}, rescore(false));
    EXPECT_EQ(seen.size(), 80u);
    EXPECT_EQ(*seen.rbegin(), 79u);
}

// The EM fraction of well separated members is nearly their share: a binomial standard error
TEST(Bootstrap, SpreadsLikeTheSamplingError) {
    Random random(2, "test");
    Sides const sides{test::signals(random, 400, 0.3, 8), test::signals(random, 400, 0, 0)};
    std::vector<double> em;
    for (Replicate const& replicate : bootstrap({400, 400, false, 300, 1}, sides))
        em.push_back(replicate[3]);
    EXPECT_NEAR(mean(em), 0.3, 0.01);
    EXPECT_NEAR(sd(em), std::sqrt(0.3 * 0.7 / 400), 0.004);
}

TEST(ReplicateQuantile, LeavesOutMissingValues) {
    double const none = std::nan("");
    std::vector<Replicate> const replicates{
        {0.1, none, 0, 0}, {0.3, none, 0, 0}, {none, none, 0, 0}, {0.2, none, 0, 0}};
    EXPECT_DOUBLE_EQ(replicate_quantile(replicates, 0, 0.5), 0.2);
    EXPECT_DOUBLE_EQ(replicate_quantile(replicates, 0, 1), 0.3);
    EXPECT_TRUE(std::isnan(replicate_quantile(replicates, 1, 0.5)));
}

} // namespace
} // namespace assay::usage
