#include "assay/comm/placement.hpp"

#include "assay/comm/message.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <set>
#include <string_view>

#include <sched.h>
#include <unistd.h>

namespace assay::comm {

namespace {

std::string host_name() {
    char name[256] = {};
    ::gethostname(name, sizeof name - 1);
    return name;
}

std::vector<int> allowed_cpus() {
    constexpr int kMost = 1 << 16; // the kernel refuses a set smaller than its own, 1024 or more
    for (int most = 1024; most <= kMost; most *= 2) {
        cpu_set_t* const set = CPU_ALLOC(most);
        std::size_t const size = CPU_ALLOC_SIZE(most);
        std::vector<int> cpus;
        if (sched_getaffinity(0, size, set) == 0)
            for (int cpu = 0; cpu < most; ++cpu)
                if (CPU_ISSET_S(cpu, size, set))
                    cpus.push_back(cpu);
        CPU_FREE(set);
        if (!cpus.empty())
            return cpus;
    }
    return {};
}

int granted_cpus() {
    char const* const value = std::getenv("SLURM_CPUS_PER_TASK");
    std::string_view const text = value ? value : "";
    int cpus = 0;
    std::from_chars(text.data(), text.data() + text.size(), cpus);
    return cpus;
}

// Ranks of one host whose CPUs overlap, directly or through others
struct Neighbours {
    std::vector<int> ranks;
    std::set<int> cpus;
};

std::vector<Neighbours> share_cpus(std::vector<RankPlace> const& places) {
    std::map<int, std::vector<Neighbours>> hosts; // by the first rank
    for (int rank = 0; RankPlace const& place : places) {
        Neighbours joined{{}, {place.cpus.begin(), place.cpus.end()}};
        std::vector<Neighbours> apart;
        for (Neighbours& group : hosts[place.first_on_host]) {
            bool const overlap =
                std::ranges::any_of(place.cpus, [&](int cpu) { return group.cpus.contains(cpu); });
            if (!overlap) {
                apart.push_back(std::move(group));
                continue;
            }
            joined.ranks.insert(joined.ranks.end(), group.ranks.begin(), group.ranks.end());
            joined.cpus.merge(group.cpus);
        }
        joined.ranks.push_back(rank++);
        std::ranges::sort(joined.ranks);
        if (!joined.cpus.empty())
            apart.push_back(std::move(joined));
        hosts[place.first_on_host] = std::move(apart);
    }
    std::vector<Neighbours> all;
    for (auto& [first, groups] : hosts)
        std::ranges::move(groups, std::back_inserter(all));
    return all;
}

RankPlace const& place_of(std::vector<RankPlace> const& places, int rank) {
    return places[static_cast<std::size_t>(rank)];
}

std::string threads_text(std::size_t threads) {
    return fmt::format("{} thread{}", threads, threads == 1 ? "" : "s");
}

} // namespace

RankPlace find_place(Communicator const& comm) {
    RankPlace place;
    place.host = host_name();
    place.cpus = allowed_cpus();
    place.cpus_granted = granted_cpus();
    if (comm.is_serial())
        return place;
    MPI_Comm host = MPI_COMM_NULL;
    check_mpi(MPI_Comm_split_type(comm.mpi(), MPI_COMM_TYPE_SHARED, comm.rank(), MPI_INFO_NULL, &host),
              "MPI_Comm_split_type");
    MPI_Comm_rank(host, &place.local_rank);
    place.first_on_host = comm.rank();
    check_mpi(MPI_Bcast(&place.first_on_host, 1, MPI_INT, 0, host), "MPI_Bcast");
    MPI_Comm_free(&host);
    return place;
}

std::vector<RankPlace> gather_places(Communicator const& comm, RankPlace const& mine) {
    return all_gather_objects(comm, mine);
}

int threads_per_rank(std::vector<RankPlace> const& places) {
    std::size_t threads = ~std::size_t{0};
    for (Neighbours const& group : share_cpus(places))
        threads = std::min(threads, group.cpus.size() / group.ranks.size());
    for (RankPlace const& place : places)
        if (place.cpus_granted > 0)
            threads = std::min(threads, static_cast<std::size_t>(place.cpus_granted));
    return threads == ~std::size_t{0} ? 1 : std::max(1, static_cast<int>(threads));
}

void check_gpus(std::vector<RankPlace> const& places) {
    std::map<std::string, std::vector<int>> users;
    for (int rank = 0; RankPlace const& place : places) {
        if (!place.gpu.empty())
            users[place.gpu].push_back(rank);
        ++rank;
    }
    for (auto const& [gpu, ranks] : users)
        if (ranks.size() > 1)
            fail(Exit::usage,
                 "ranks {} share {} on {} (each would have a part of its memory and speed). Start one rank "
                 "per "
                 "GPU, or pass --share-gpus",
                 ranges(ranks), gpu, place_of(places, ranks.front()).host);
}

std::vector<std::string> placement_warnings(std::vector<RankPlace> const& places, int threads) {
    std::vector<std::string> warnings;
    for (Neighbours const& group : share_cpus(places)) {
        std::size_t const wanted = group.ranks.size() * static_cast<std::size_t>(threads);
        if (wanted > group.cpus.size())
            warnings.push_back(fmt::format(
                "{} {} on {}: {} on {} CPU(s) (they wait for each other). Start fewer ranks, lower "
                "compute.threads, or give each rank more CPUs (srun --cpus-per-task, mpirun "
                "--bind-to none)",
                group.ranks.size() == 1 ? "rank" : "ranks", ranges(group.ranks),
                place_of(places, group.ranks.front()).host, threads_text(wanted), group.cpus.size()));
    }
    bool const unknown = std::ranges::any_of(
        places, [](RankPlace const& place) { return place.device != "cpu" && place.gpu.empty(); });
    if (unknown && places.size() > 1)
        warnings.emplace_back(
            "the driver does not tell the GPUs' UUIDs: whether ranks share one is not checked");
    return warnings;
}

std::string describe(std::vector<RankPlace> const& places, int rank, int threads) {
    RankPlace const& place = place_of(places, rank);
    return fmt::format("rank {} of {} on {}: {}{}{}, {} on CPUs {}", rank, places.size(), place.host,
                       place.device, place.gpu.empty() ? "" : " ", place.gpu,
                       threads_text(static_cast<std::size_t>(threads)),
                       place.cpus.empty() ? "unknown" : ranges(place.cpus));
}

std::string ranges(std::vector<int> const& numbers) {
    std::string text;
    for (std::size_t first = 0, next = 0; first < numbers.size(); first = next) {
        for (next = first + 1; next < numbers.size() && numbers[next] == numbers[next - 1] + 1;)
            ++next;
        text += fmt::format("{}{}", text.empty() ? "" : ",", numbers[first]);
        if (next - first > 1)
            text += fmt::format("-{}", numbers[next - 1]);
    }
    return text;
}

} // namespace assay::comm
