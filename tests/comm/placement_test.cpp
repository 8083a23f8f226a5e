// Runs on any number of ranks (support/mpi_main.cpp); the rules are tested on places written by hand
#include "assay/comm/placement.hpp"

#include "assay/base/error.hpp"
#include "support/world.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include <sched.h>
#include <unistd.h>

namespace assay::comm {
namespace {

using test::world;

std::vector<int> cpus(int first, int last) {
    std::vector<int> all;
    for (int cpu = first; cpu <= last; ++cpu)
        all.push_back(cpu);
    return all;
}

// A rank on the host whose first rank is `first`
RankPlace on_host(int first, std::vector<int> cpus, std::string gpu = "") {
    RankPlace place;
    place.host = "node" + std::to_string(first);
    place.first_on_host = first;
    place.cpus = std::move(cpus);
    place.device = gpu.empty() ? "cpu" : "cuda:0";
    place.gpu = std::move(gpu);
    return place;
}

std::string refusal(std::vector<RankPlace> const& places) {
    try {
        check_gpus(places);
        return "";
    } catch (Error const& error) {
        EXPECT_EQ(error.code(), Exit::usage);
        return error.what();
    }
}

TEST(Ranges, JoinNeighbours) {
    EXPECT_EQ(ranges({}), "");
    EXPECT_EQ(ranges({7}), "7");
    EXPECT_EQ(ranges({0, 1}), "0-1");
    EXPECT_EQ(ranges({0, 1, 2, 5, 8, 9}), "0-2,5,8-9");
}

TEST(ThreadsPerRank, CpusOfUnboundRanksAreDivided) {
    EXPECT_EQ(threads_per_rank({on_host(0, cpus(0, 7))}), 8);
    EXPECT_EQ(threads_per_rank({on_host(0, cpus(0, 7)), on_host(0, cpus(0, 7))}), 4);
    EXPECT_EQ(threads_per_rank({3, on_host(0, cpus(0, 7))}), 2); // 8 / 3
}

TEST(ThreadsPerRank, ABoundRankHasItsOwnCpus) {
    EXPECT_EQ(threads_per_rank({on_host(0, cpus(0, 3)), on_host(0, cpus(4, 7))}), 4);
}

TEST(ThreadsPerRank, TheSmallestShareIsEveryones) {
    EXPECT_EQ(threads_per_rank({on_host(0, cpus(0, 3)), on_host(0, cpus(4, 15))}), 4);
    // The second host has half the CPUs; equal CPU numbers there are other CPUs
    EXPECT_EQ(threads_per_rank({on_host(0, cpus(0, 7)), on_host(1, cpus(0, 3))}), 4);
}

TEST(ThreadsPerRank, SlurmsGrantIsAnUpperBound) {
    RankPlace granted = on_host(0, cpus(0, 63));
    granted.cpus_granted = 4;
    EXPECT_EQ(threads_per_rank({granted}), 4);
    granted.cpus_granted = 100;
    EXPECT_EQ(threads_per_rank({granted}), 64);
}

TEST(ThreadsPerRank, IsAtLeastOne) {
    EXPECT_EQ(threads_per_rank({4, on_host(0, cpus(0, 1))}), 1);
    EXPECT_EQ(threads_per_rank({on_host(0, {})}), 1); // CPUs unknown
}

TEST(CheckGpus, OneRankPerGpuIsFine) {
    EXPECT_EQ(refusal({on_host(0, {0}, "GPU-a"), on_host(0, {1}, "GPU-b"), on_host(2, {0}, "GPU-c")}), "");
    EXPECT_EQ(refusal({3, on_host(0, {0})}), "") << "CPUs are no GPUs";
}

TEST(CheckGpus, RanksOnOneGpuAreNamed) {
    // As with one GPU bound to each of two ranks by mistake: both call it cuda:0
    std::string const message =
        refusal({on_host(0, {0}, "GPU-a"), on_host(1, {0}, "GPU-b"), on_host(1, {1}, "GPU-b")});
    EXPECT_NE(message.find("ranks 1-2 share GPU-b on node1"), std::string::npos) << message;
    EXPECT_NE(message.find("--share-gpus"), std::string::npos) << message;
}

TEST(PlacementWarnings, NoneWhereEveryThreadHasACpu) {
    EXPECT_EQ(placement_warnings({4, on_host(0, cpus(0, 3))}, 1).size(), 0u);
    EXPECT_EQ(placement_warnings({on_host(0, cpus(0, 1)), on_host(0, cpus(2, 3))}, 2).size(), 0u);
    EXPECT_EQ(placement_warnings({on_host(0, cpus(0, 1)), on_host(1, cpus(0, 1))}, 2).size(), 0u);
}

TEST(PlacementWarnings, OversubscribedRanksAreNamed) {
    auto const unbound = placement_warnings({4, on_host(0, cpus(0, 1))}, 2);
    ASSERT_EQ(unbound.size(), 1u);
    EXPECT_NE(unbound[0].find("ranks 0-3 on node0: 8 threads on 2 CPU(s)"), std::string::npos) << unbound[0];
    // Only the second rank is bound to too few
    auto const bound = placement_warnings({on_host(0, cpus(0, 3)), on_host(0, {4})}, 2);
    ASSERT_EQ(bound.size(), 1u);
    EXPECT_NE(bound[0].find("rank 1 on node0: 2 threads on 1 CPU(s)"), std::string::npos) << bound[0];
}

TEST(PlacementWarnings, OverlapIsFollowedThroughOthers) {
    // 0 and 1 share no CPU, but both share one with 2: three ranks on three CPUs
    std::vector<RankPlace> const chain{on_host(0, {0}), on_host(0, {2}), on_host(0, {0, 1, 2})};
    EXPECT_EQ(placement_warnings(chain, 1).size(), 0u);
    auto const warnings = placement_warnings(chain, 2);
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_NE(warnings[0].find("ranks 0-2 on node0: 6 threads on 3 CPU(s)"), std::string::npos)
        << warnings[0];
}

TEST(PlacementWarnings, UnknownGpusCannotBeCompared) {
    RankPlace unknown = on_host(0, {0});
    unknown.device = "cuda:0";
    EXPECT_EQ(placement_warnings({unknown}, 1).size(), 0u) << "a rank alone shares with no one";
    EXPECT_EQ(placement_warnings({unknown, on_host(0, {1}, "GPU-a")}, 1).size(), 1u);
}

TEST(Describe, OneLinePerRank) {
    EXPECT_EQ(describe({on_host(0, cpus(0, 1)), on_host(0, cpus(8, 11), "GPU-a")}, 1, 4),
              "rank 1 of 2 on node0: cuda:0 GPU-a, 4 threads on CPUs 8-11");
    EXPECT_EQ(describe({on_host(0, {5})}, 0, 1), "rank 0 of 1 on node0: cpu, 1 thread on CPUs 5");
}

// The whole test runs on one host
TEST(GatherPlaces, EveryRankSeesAll) {
    RankPlace mine = find_place(world());
    mine.device = "cuda:" + std::to_string(world().rank());
    mine.gpu = std::string(static_cast<std::size_t>(world().rank()), 'g'); // of different lengths
    std::vector<RankPlace> const places = gather_places(world(), mine);
    char host[256] = {};
    ::gethostname(host, sizeof host - 1);
    ASSERT_EQ(places.size(), static_cast<std::size_t>(world().size()));
    for (int rank = 0; RankPlace const& place : places) {
        EXPECT_EQ(place.host, host);
        EXPECT_EQ(place.first_on_host, 0);
        EXPECT_EQ(place.local_rank, rank);
        EXPECT_EQ(place.device, "cuda:" + std::to_string(rank));
        EXPECT_EQ(place.gpu.size(), static_cast<std::size_t>(rank));
        EXPECT_FALSE(place.cpus.empty());
        ++rank;
    }
}

TEST(FindPlace, CpusAreThoseOfTheAffinityMask) {
    cpu_set_t before;
    ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
    int last = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &before))
            last = cpu;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(find_place(world()).cpus, std::vector<int>{last});
    ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
    EXPECT_EQ(static_cast<int>(find_place(world()).cpus.size()), CPU_COUNT(&before));
}

TEST(FindPlace, SlurmsGrantIsRead) {
    setenv("SLURM_CPUS_PER_TASK", "6", 1);
    EXPECT_EQ(find_place(world()).cpus_granted, 6);
    unsetenv("SLURM_CPUS_PER_TASK");
    EXPECT_EQ(find_place(world()).cpus_granted, 0);
}

} // namespace
} // namespace assay::comm
