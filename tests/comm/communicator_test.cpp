// Runs on any number of ranks (support/mpi_main.cpp)
#include "assay/comm/communicator.hpp"

#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "support/world.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <thread>

namespace assay::comm {
namespace {

using test::world;

std::vector<std::int64_t> world_ranks(Communicator const& comm) {
    return all_gather<std::int64_t>(comm, std::array{std::int64_t{world().rank()}});
}

TEST(Split, GroupsHoldTheirRanksInOrder) {
    Communicator const half = world().split(world().rank() % 2);
    std::vector<std::int64_t> expected;
    for (int rank = world().rank() % 2; rank < world().size(); rank += 2)
        expected.push_back(rank);
    EXPECT_EQ(world_ranks(half), expected);
    EXPECT_EQ(half.size(), static_cast<int>(expected.size()));
    EXPECT_EQ(half.rank(), world().rank() / 2);
    EXPECT_EQ(half.is_serial(), world().is_serial());
}

TEST(Split, OneGroupIsEveryone) {
    Communicator const all = world().split(7);
    EXPECT_EQ(all.size(), world().size());
    EXPECT_EQ(all.rank(), world().rank());
    EXPECT_EQ(all_sum(all, 1), world().size());
}

TEST(Split, ASerialCommunicatorStaysSerial) {
    Communicator const part = Communicator().split(3);
    EXPECT_TRUE(part.is_serial());
    EXPECT_EQ(part.size(), 1);
    EXPECT_EQ(all_sum(part, 5), 5);
}

TEST(Split, GroupsCanBeSplitAgain) {
    Communicator const alone = world().split(world().rank() / 2).split(world().rank() % 2);
    EXPECT_EQ(world_ranks(alone), std::vector<std::int64_t>{world().rank()});
}

// Groups do not wait for one another: each makes another number of calls, and they meet again afterwards
TEST(Split, GroupsGoTheirOwnWays) {
    Communicator const own = world().split(world().rank());
    for (int i = 0; i <= 10 * world().rank(); ++i)
        EXPECT_EQ(all_sum(own, i), i);
    EXPECT_EQ(all_sum(world(), 1), world().size());
}

TEST(Split, AnErrorThatAGroupAgreedOnIsItsOwn) {
    Communicator const half = world().split(world().rank() % 2);
    bool threw = false;
    try {
        agree(half, [&] {
            if (world().rank() == 0)
                fail(Exit::data, "of the first group");
        });
    } catch (AgreedError const& error) {
        threw = true;
        EXPECT_EQ(error.code(), Exit::data);
    }
    EXPECT_EQ(threw, world().rank() % 2 == 0);
    EXPECT_EQ(all_sum(half, 1), half.size()); // and both go on
    EXPECT_EQ(all_sum(world(), 1), world().size());
}

// Nobody leaves before the last has come
TEST(PatientBarrier, WaitsForAll) {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds kLate(300);
    bool const late = world().rank() == world().size() - 1;
    world().barrier();
    auto const start = Clock::now();
    if (late)
        std::this_thread::sleep_for(kLate);
    world().patient_barrier();
    EXPECT_GE(Clock::now() - start, kLate / 2);
}

TEST(PatientBarrier, OfASerialOneReturns) {
    Communicator().patient_barrier();
    Communicator const played = Communicator::dry_run(1, 3);
    played.patient_barrier();
    EXPECT_EQ(played.traffic().calls, 1U);
}

} // namespace
} // namespace assay::comm
