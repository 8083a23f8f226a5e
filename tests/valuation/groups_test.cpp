#include "assay/valuation/groups.hpp"

#include "assay/base/random.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace assay::valuation {
namespace {

using Numbers = std::vector<std::int64_t>;

TEST(GroupBy, NumbersTheValues) {
    Grouping const grouping = group_by("class", Numbers{7, -1, 7, 3, 7});
    EXPECT_EQ(grouping.values, (Numbers{-1, 3, 7}));
    EXPECT_EQ(grouping.sizes, (Numbers{1, 1, 3}));
    EXPECT_EQ(grouping.of, (std::vector<std::uint32_t>{2, 0, 2, 1, 2}));
}

TEST(GroupSum, AddsUpItsRows) {
    GroupSum sum(group_by("class", Numbers{0, 0, 1, 1}), 3);
    std::vector<std::uint8_t> const once{1, 0, 2};
    sum.add(Numbers{0, 2}, Numbers{6, 2}, once);
    sum.add(Numbers{1, 0}, Numbers{3, 1}, std::vector<std::uint8_t>{1, 1, 1});
    // Replicates: group 0 has 10, 4, 16 of 12, 4, 20
    std::vector<GroupCredit> const found = sum.result(12, Numbers{12, 4, 20}, 1, 0.9);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].credit, 5); // 10 units of 2^-1
    EXPECT_DOUBLE_EQ(found[0].share, 10. / 12);
    EXPECT_DOUBLE_EQ(found[0].mean, 2.5);
    EXPECT_DOUBLE_EQ(found[0].lift, 20. / 12);
    EXPECT_DOUBLE_EQ(found[1].lift, 4. / 12);
    // Levels 5 % and 95 % of three values lie a tenth of the way from the outer ones
    EXPECT_DOUBLE_EQ(found[0].credit_interval.first, 2 + 0.1 * 3);
    EXPECT_DOUBLE_EQ(found[0].credit_interval.second, 8 - 0.1 * 3);
    EXPECT_DOUBLE_EQ(found[0].share_interval.first, 0.8 + 0.1 * (10. / 12 - 0.8));
    EXPECT_DOUBLE_EQ(found[0].share_interval.second, 1 - 0.1 * (1 - 10. / 12));
    EXPECT_DOUBLE_EQ(found[0].lift_interval.second, 2 * found[0].share_interval.second);
}

TEST(GroupSum, NoticesWhatIsLost) {
    GroupSum sum(group_by("class", Numbers{0, 1}), 1);
    sum.add(Numbers{0}, Numbers{6}, std::vector<std::uint8_t>{1});
    EXPECT_ANY_THROW(sum.result(7, Numbers{7}, 0, 0.9));
}

// Generated samples of a planted mixture: their lists' credit falls on group 0 by chance. How often does the
// interval hold the share that ever more of them would give?
TEST(GroupSum, IntervalsCoverTheTrueShare) {
    constexpr int kSets = 300, kQueries = 200;
    constexpr double kTruth = 0.3;
    int covered = 0;
    for (std::uint64_t set = 0; set < kSets; ++set) {
        GroupSum sum(group_by("class", Numbers{0, 1, 1}), 200);
        std::int64_t total = 0;
        ReplicateSums totals(1, 200);
        Random random(set, "test");
        std::vector<std::uint8_t> counts(200);
        for (std::uint64_t j = 0; j < kQueries; ++j) {
            // Share of group 0 uniform in [0, 0.6]: 0.3 on average, independent of the quality
            auto const quality = static_cast<std::int64_t>(1000 + random.below(1000));
            auto const first =
                static_cast<std::int64_t>(0.6 * random.uniform() * static_cast<double>(quality));
            poisson_counts(set, j, counts);
            sum.add(Numbers{0, 1}, Numbers{first, quality - first}, counts);
            totals.add(0, quality, counts);
            total += quality;
        }
        Interval const interval = sum.result(total, totals.of(0), 0, 0.95)[0].share_interval;
        covered += interval.first <= kTruth && kTruth <= interval.second;
    }
    EXPECT_GE(covered, 0.92 * kSets); // 95 % within two standard errors
    EXPECT_LE(covered, 0.98 * kSets);
}

} // namespace
} // namespace assay::valuation
