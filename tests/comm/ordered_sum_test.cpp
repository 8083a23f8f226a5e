// Runs on any number of ranks (support/mpi_main.cpp)
#include "assay/comm/ordered_sum.hpp"

#include "assay/base/random.hpp"
#include "support/world.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace assay::comm {
namespace {

using test::world;
using Values = std::vector<float>;

// Part `part` of a sum: values over many orders of magnitude, so that another order of additions shows
Values part_of(std::size_t part, std::size_t length) {
    Random random(1, "ordered sum", part * 1000 + length);
    Values values(length);
    for (float& value : values)
        value = static_cast<float>(random.normal() * std::exp(4 * random.normal()));
    return values;
}

// Left to right, in one loop
Values serial_sum(std::size_t parts, std::size_t length) {
    Values total(length, 0.0F);
    for (std::size_t part = 0; part < parts; ++part) {
        Values const values = part_of(part, length);
        for (std::size_t i = 0; i < length; ++i)
            total[i] += values[i];
    }
    return total;
}

Values parallel_sum(Communicator const& comm, std::size_t parts, std::size_t length) {
    Values mine;
    for (std::size_t part = 0; part < parts; ++part)
        if (owner_of_part(part, comm) == comm.rank()) {
            Values const values = part_of(part, length);
            mine.insert(mine.end(), values.begin(), values.end());
        }
    return ordered_sum(comm, mine, parts, length);
}

bool same_bytes(Values const& a, Values const& b) {
    return a.size() == b.size() &&
           (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

TEST(OrderedSum, HasTheBytesOfASerialSum) {
    for (std::size_t parts = 0; parts <= 9; ++parts)
        for (std::size_t length = 0; length <= 17; ++length)
            EXPECT_TRUE(same_bytes(parallel_sum(world(), parts, length), serial_sum(parts, length)))
                << parts << " parts of " << length;
}

// Without this, the test above could pass whatever the order
TEST(OrderedSum, OrderShowsInTheseData) {
    Values const forward = serial_sum(9, 17);
    Values backward(17, 0.0F);
    for (std::size_t part = 9; part-- > 0;)
        for (std::size_t i = 0; i < 17; ++i)
            backward[i] += part_of(part, 17)[i];
    EXPECT_FALSE(same_bytes(forward, backward));
}

TEST(OrderedSum, ALongVectorOverManyParts) {
    EXPECT_TRUE(same_bytes(parallel_sum(world(), 23, 10007), serial_sum(23, 10007)));
}

TEST(OrderedSum, EveryPartHasOneOwner) {
    std::vector<int> parts_of_rank(static_cast<std::size_t>(world().size()), 0);
    for (std::size_t part = 0; part < 40; ++part)
        ++parts_of_rank.at(static_cast<std::size_t>(owner_of_part(part, world())));
    for (int count : parts_of_rank)
        EXPECT_LE(std::abs(count - 40 / world().size()), 1); // shared out evenly
}

} // namespace
} // namespace assay::comm
