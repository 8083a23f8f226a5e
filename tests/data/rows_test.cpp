#include "assay/data/rows.hpp"

#include "assay/base/random.hpp"
#include "data/part_fixtures.hpp"

#include <gtest/gtest.h>

namespace assay::data {
namespace {

TEST(Rows, AllAreThemselves) {
    Rows const rows = Rows::all(5);
    EXPECT_EQ(rows.size(), 5U);
    EXPECT_EQ(rows.at(4), 4U);
    EXPECT_EQ(rows.between(1, 4), (std::vector<std::uint64_t>{1, 2, 3}));
    EXPECT_TRUE(rows.contains(4));
    EXPECT_FALSE(rows.contains(5));
}

TEST(Rows, NoneAreNone) {
    for (Rows const& rows : {Rows(), Rows::all(0), Rows(std::vector<std::uint64_t>(3, 0))}) {
        EXPECT_EQ(rows.size(), 0U);
        EXPECT_FALSE(rows.contains(0));
        EXPECT_TRUE(rows.between(0, 0).empty());
    }
}

// Against a plain list, with bits dense, sparse and absent over several counting blocks of 4096
TEST(Rows, AgreeWithAList) {
    for (double share : {0.001, 0.5, 0.999}) {
        std::vector<std::uint64_t> list;
        for (std::uint64_t row = 0; row < 20000; ++row)
            if ((row < 5000 || row > 14000) && Random(1, "rows", row).uniform() < share)
                list.push_back(row);
        Rows const rows = test::some_rows(list);
        ASSERT_EQ(rows.size(), list.size());
        for (std::size_t i = 0; i < list.size(); ++i)
            ASSERT_EQ(rows.at(i), list[i]);
        EXPECT_EQ(rows.between(0, list.size()), list);
        EXPECT_EQ(rows.between(3, 9), std::vector<std::uint64_t>(list.begin() + 3, list.begin() + 9));
        std::size_t found = 0;
        for (std::uint64_t row = 0; row < 21000; ++row)
            found += rows.contains(row);
        EXPECT_EQ(found, list.size());
        for (std::uint64_t row : list)
            ASSERT_TRUE(rows.contains(row));
    }
}

} // namespace
} // namespace assay::data
