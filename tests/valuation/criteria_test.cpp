#include "assay/valuation/criteria.hpp"

#include "assay/base/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace assay::valuation {
namespace {

using Numbers = std::vector<std::int64_t>;

TEST(MatchRate, AveragesShares) {
    MatchRate rate({1, 2, 4});
    rate.add(std::vector<std::uint8_t>{1, 0, 1, 1});
    rate.add(std::vector<std::uint8_t>{0, 0, 1, 0});
    std::vector<Rate> const found = rate.result();
    EXPECT_DOUBLE_EQ(found[0].value, 0.5);
    EXPECT_DOUBLE_EQ(found[1].value, 0.25);
    EXPECT_DOUBLE_EQ(found[2].value, 0.5);
    // Shares 3/4 and 1/4: standard deviation sqrt(1/8), error sqrt(1/16)
    EXPECT_DOUBLE_EQ(found[2].standard_error, 0.25);
    EXPECT_TRUE(std::isnan(MatchRate({1}).result()[0].value));
}

TEST(CriterionKs, AreThoseThatListsAllow) {
    EXPECT_EQ(criterion_ks(50, 100), (Numbers{1, 5, 10, 15, 30, 50, 100}));
    EXPECT_EQ(criterion_ks(20, 30), (Numbers{1, 5, 10, 15, 20, 30}));
    EXPECT_EQ(criterion_ks(1, 1), Numbers{1});
}

TEST(ChanceOfMatch, IsTheRateOfRandomRows) {
    Numbers const rows{0, 0, 0, 1, 1, -1, 2, 2}, queries{0, 1, 1, 5, -1};
    // 1/4 x 3/8 + 2/4 x 2/8 + 1/4 x 0
    EXPECT_DOUBLE_EQ(chance_of_match(rows, queries), 0.25 * 0.375 + 0.5 * 0.25);
    EXPECT_TRUE(std::isnan(chance_of_match(rows, Numbers{-1})));
}

TEST(CriterionSum, LeavesOutUnknownQueries) {
    CriterionSum sum({1, 3}, {1}, 0.25);
    Numbers const values{4, -1, 4};
    std::vector<double> const weights{0.5, 0.25};
    sum.add(4, values, weights);
    sum.add(-1, values, weights);
    sum.add_pixels(-1, Numbers{-1});
    sum.add_pixels(4, Numbers{3});
    sum.add_random(4, Numbers{4, 4, 1});
    Criterion const found = sum.result();
    EXPECT_DOUBLE_EQ(found.rates[0].value, 1);
    EXPECT_DOUBLE_EQ(found.rates[1].value, 2. / 3);
    EXPECT_DOUBLE_EQ(found.random[1].value, 2. / 3);
    EXPECT_DOUBLE_EQ(found.pixels[0].value, 0);
    EXPECT_DOUBLE_EQ(found.weighted, 0.5);
    EXPECT_EQ(found.chance, 0.25);
}

TEST(DrawRows, AreUniformAndKeyed) {
    std::vector<int> seen(10, 0);
    Numbers rows(1000), again(1000);
    draw_rows(1, 5, 10, rows);
    for (std::int64_t row : rows)
        ++seen.at(static_cast<std::size_t>(row));
    for (int count : seen)
        EXPECT_NEAR(count, 100, 4 * std::sqrt(90));
    draw_rows(1, 5, 10, again);
    EXPECT_EQ(rows, again);
    draw_rows(1, 6, 10, again);
    EXPECT_NE(rows, again);
}

} // namespace
} // namespace assay::valuation
