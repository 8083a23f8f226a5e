//! Where the ranks of a run are: hosts, CPUs, GPUs; and what is wrong with that. Explained in
//! docs/placement.md.
#pragma once

#include "assay/comm/communicator.hpp"

#include <string>
#include <vector>

namespace assay::comm {

//! One rank's place.
struct RankPlace {
    std::string host;
    int first_on_host =
        0;              //!< the lowest rank on the same host; names it even where host names are not unique
    int local_rank = 0; //!< this rank's number among those on its host
    std::vector<int> cpus;      //!< that it may run on, ascending; empty: unknown
    int cpus_granted = 0;       //!< SLURM_CPUS_PER_TASK; 0: not said
    std::string device = "cpu"; //!< or "cuda:1"
    std::string gpu;            //!< UUID; empty on a CPU, and where the driver does not tell

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
        archive& host& first_on_host& local_rank& cpus& cpus_granted& device& gpu;
    }
};

//! Collective. This rank's host and CPUs; the device is the caller's to add.
RankPlace find_place(Communicator const& comm);
//! Collective. All ranks' places, in rank order.
std::vector<RankPlace> gather_places(Communicator const& comm, RankPlace const& mine);

// What follows is local, and the same on all ranks that pass the same places

//! Threads that every rank may run without taking a CPU from another: on each host the CPUs are divided among
//! the ranks that may run on them, SLURM_CPUS_PER_TASK is an upper bound, and the smallest share is
//! everyone's. At least 1.
int threads_per_rank(std::vector<RankPlace> const& places);
//! Error(usage) naming ranks that use one GPU.
void check_gpus(std::vector<RankPlace> const& places);
//! One line each for ranks that run more threads than they have CPUs, and for GPUs without a known UUID.
std::vector<std::string> placement_warnings(std::vector<RankPlace> const& places, int threads);
//! "rank 3 of 8 on node7: cuda:1 GPU-8f2c…, 4 threads on CPUs 8-11"
std::string describe(std::vector<RankPlace> const& places, int rank, int threads);
//! {0, 1, 2, 5} as "0-2,5"; `numbers` ascend.
std::string ranges(std::vector<int> const& numbers);

} // namespace assay::comm
