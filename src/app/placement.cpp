#include "app/placement.hpp"

#include "assay/base/gpus.hpp"
#include "assay/base/log.hpp"
#include "assay/comm/agree.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>

namespace assay::app {

namespace {

// The variable in which a launcher announced another number of ranks, and that number
struct Mismatch {
    std::string variable, announced;
};

std::optional<Mismatch> find_mismatch(int ranks) {
    auto const announced = [](char const* variable) {
        char const* const value = std::getenv(variable);
        return std::string(value ? value : "");
    };
    if (std::string const tasks = announced("SLURM_NTASKS"); !tasks.empty() && tasks != std::to_string(ranks))
        return Mismatch{"SLURM_NTASKS", tasks};
    // What other launchers set may be inherited from one around ours: it counts only for a rank that is alone
    for (char const* variable : {"PMI_SIZE", "OMPI_COMM_WORLD_SIZE"})
        if (std::string const size = announced(variable); ranks == 1 && !size.empty() && size != "1")
            return Mismatch{variable, size};
    return std::nullopt;
}

// An attribute of a results file holds at most 64 KiB: of very many names, the first stand for all
template <class Field>
std::string distinct(Placement const& placement, Field field) {
    std::set<std::string> values;
    for (comm::RankPlace const& place : placement.ranks)
        if (!(place.*field).empty())
            values.insert(place.*field);
    constexpr std::size_t kMost = 32 << 10;
    std::string names;
    for (auto const& value : values) {
        if (names.size() + value.size() > kMost)
            return names + fmt::format(" ... ({} in all)", values.size());
        names += (names.empty() ? "" : " ") + value;
    }
    return names;
}

} // namespace

void check_world_size(comm::Communicator const& comm, bool allow_mismatch) {
    comm::agree(comm, [&] {
        if (!comm.is_root()) // a launcher's own processes on other hosts may hand down their own numbers
            return;
        std::optional<Mismatch> const mismatch = find_mismatch(comm.size());
        if (!mismatch)
            return;
        if (!allow_mismatch)
            fail(Exit::usage,
                 "{} MPI rank(s), but {}={} (wrong launcher or MPI plugin: processes may not know each "
                 "other). Start with srun --mpi=pmix, or with this MPI's own mpirun -n {}, or pass "
                 "--allow-size-mismatch",
                 comm.size(), mismatch->variable, mismatch->announced, mismatch->announced);
        spdlog::warn("{} MPI rank(s), but {}={}", comm.size(), mismatch->variable, mismatch->announced);
    });
}

Placement place_ranks(comm::Communicator const& comm, job::Compute const& compute, bool share_gpus) {
    comm::RankPlace mine = comm::find_place(comm);
    c10::Device const device =
        comm::agree(comm, [&] { return model::choose_device(compute.device, mine.local_rank); });
    mine.device = device.str();
    if (device.is_cuda()) {
        std::vector<std::string> const uuids = gpu_uuids();
        auto const index = static_cast<std::size_t>(device.index());
        mine.gpu = index < uuids.size() ? uuids[index] : "";
    }
    Placement placement{device, static_cast<int>(compute.threads), comm::gather_places(comm, mine), 1};
    placement.ranks_on_host = static_cast<int>(
        std::ranges::count(placement.ranks, mine.first_on_host, &comm::RankPlace::first_on_host));
    if (!share_gpus)
        comm::agree(comm, [&] { comm::check_gpus(placement.ranks); });
    if (placement.threads == 0)
        placement.threads = comm::threads_per_rank(placement.ranks);
    model::setup_torch(placement.threads);
    if (!comm.is_root())
        return placement;
    for (int rank = 0; rank < comm.size(); ++rank)
        spdlog::info("{}", comm::describe(placement.ranks, rank, placement.threads));
    for (std::string const& warning : comm::placement_warnings(placement.ranks, placement.threads))
        spdlog::warn("{}", warning);
    return placement;
}

std::string hosts(Placement const& placement) {
    return distinct(placement, &comm::RankPlace::host);
}

std::string gpus(Placement const& placement) {
    return distinct(placement, &comm::RankPlace::gpu);
}

} // namespace assay::app
