// Runs on any number of ranks (support/mpi_main.cpp)
#include "assay/comm/smallest.hpp"

#include "assay/base/random.hpp"
#include "support/world.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace assay::comm {
namespace {

using test::world;

constexpr std::size_t kLists = 5, kLength = 4;

// What rank r contributes to a list: few or many values, padded with the largest
std::vector<std::int64_t> values_of(int rank, std::size_t list) {
    Random random(3, "smallest", static_cast<std::uint64_t>(rank) * kLists + list);
    std::vector<std::int64_t> values;
    for (std::size_t i = 0; i < (static_cast<std::size_t>(rank) + list) % (kLength + 1); ++i)
        values.push_back(static_cast<std::int64_t>(random.below(20)));
    values.resize(kLength, std::numeric_limits<std::int64_t>::max());
    std::sort(values.begin(), values.end());
    return values;
}

std::vector<std::int64_t> mine() {
    std::vector<std::int64_t> lists;
    for (std::size_t list = 0; list < kLists; ++list) {
        auto const values = values_of(world().rank(), list);
        lists.insert(lists.end(), values.begin(), values.end());
    }
    return lists;
}

std::vector<std::int64_t> expected() {
    std::vector<std::int64_t> lists;
    for (std::size_t list = 0; list < kLists; ++list) {
        std::vector<std::int64_t> all;
        for (int rank = 0; rank < world().size(); ++rank) {
            auto const values = values_of(rank, list);
            all.insert(all.end(), values.begin(), values.end());
        }
        std::sort(all.begin(), all.end());
        lists.insert(lists.end(), all.begin(), all.begin() + kLength);
    }
    return lists;
}

TEST(Smallest, OnAllRanks) {
    auto lists = mine();
    all_smallest(world(), lists, kLength);
    EXPECT_EQ(lists, expected());
}

TEST(Smallest, OnEachOwner) {
    for (int owner = 0; owner < world().size(); ++owner) {
        auto lists = mine();
        smallest_at(world(), owner, lists, kLength);
        if (world().rank() == owner) {
            EXPECT_EQ(lists, expected());
        }
    }
}

} // namespace
} // namespace assay::comm
