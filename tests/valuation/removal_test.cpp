#include "assay/valuation/removal.hpp"

#include "data/fixtures.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace assay;
using namespace assay::valuation;
using namespace assay::data::test;

namespace {

using Ids = std::vector<std::uint64_t>;
using Values = std::vector<double>;
double const kNone = std::nan("");

} // namespace

TEST(TieBrokenScores, OrderByCreditThenDistance) {
    EXPECT_EQ(tie_broken_scores(Values{0, 2, 0, 2, 0, 1}, Values{kNone, 3, 5, 4, kNone, 9}),
              (Values{0, 4, 1, 3, 0, 2}));
}

TEST(RemovalLists, HoldTheEndsOfTheOrder) {
    Ids const ids{100, 90, 80, 70, 60, 50, 40, 30, 20, 10};
    Values const credit{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, distance(10, 1);
    RemovalLists const lists = removal_lists(credit, distance, ids, 0.3, 1);
    EXPECT_EQ(lists.top, (Ids{10, 20, 30}));
    EXPECT_EQ(lists.bottom, (Ids{80, 90, 100}));
    EXPECT_EQ(lists.tied, 0u);
    EXPECT_EQ(lists.random.size(), 3u);
    EXPECT_TRUE(std::is_sorted(lists.random.begin(), lists.random.end()));
    EXPECT_TRUE(removal_lists(credit, distance, ids, 0, 1).top.empty());
}

// Rows without credit that stand class by class: the list must not be the first of them
TEST(RemovalLists, TiesAreDrawnAndCounted) {
    constexpr std::size_t kRows = 10000;
    Ids ids(kRows);
    std::iota(ids.begin(), ids.end(), 0u);
    Values credit(kRows, 0), distance(kRows, kNone);
    for (std::size_t i = 8000; i < kRows; ++i)
        credit[i] = distance[i] = static_cast<double>(i);
    RemovalLists const lists = removal_lists(credit, distance, ids, 0.1, 1);
    ASSERT_EQ(lists.bottom.size(), 1000u);
    EXPECT_EQ(lists.tied, 1000u);
    EXPECT_LT(lists.bottom.back(), 8000u);
    auto const early =
        std::lower_bound(lists.bottom.begin(), lists.bottom.end(), 4000u) - lists.bottom.begin();
    EXPECT_NEAR(static_cast<double>(early), 500, 65); // four standard deviations
    EXPECT_EQ(lists.bottom, removal_lists(credit, distance, ids, 0.1, 1).bottom);
    EXPECT_NE(lists.bottom, removal_lists(credit, distance, ids, 0.1, 2).bottom);
    // Both draw from rows without credit, and independently: 1000 x 1000/10000 in common
    Ids common;
    std::set_intersection(lists.bottom.begin(), lists.bottom.end(), lists.random.begin(), lists.random.end(),
                          std::back_inserter(common));
    EXPECT_NEAR(static_cast<double>(common.size()), 100, 40);
}

TEST(WriteRemovalLists, MakesFilesToExclude) {
    TempDir const dir;
    RemovalLists const lists{0.1, {3, 5}, {1, 2}, {}, 0};
    for (int repeat = 0; repeat < 2; ++repeat) // what is there is replaced
        write_removal_lists(dir / "removal", lists);
    auto const read = [&](char const* name) {
        return store::read_all<std::uint64_t>(
            store::open_dataset(store::open_to_read(dir / "removal" / name), "/exclude"));
    };
    EXPECT_EQ(read("top.h5"), lists.top);
    EXPECT_EQ(read("bottom.h5"), lists.bottom);
    EXPECT_EQ(read("random.h5"), Ids{});
    write_text(dir / "file", "not a folder");
    expect_in(error_of(Exit::io, [&] { write_removal_lists(dir / "file", lists); }), {"top.h5"});
}
