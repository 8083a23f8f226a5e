//! The launch and the places of the ranks: checked before any file is touched, logged once.
#pragma once

#include "assay/comm/placement.hpp"
#include "assay/job/job.hpp"
#include "assay/model/torch_setup.hpp"

namespace assay::app {

//! Collective. Error(usage), on all ranks, if a launcher announced another number of ranks than MPI knows:
//! then ranks are missing, or several programs each think they are alone. Only a warning with
//! `allow_mismatch`.
void check_world_size(comm::Communicator const& comm, bool allow_mismatch);

//! What a run computes on.
struct Placement {
    c10::Device device;                 //!< this rank's
    int threads;                        //!< of each rank
    std::vector<comm::RankPlace> ranks; //!< of the job's communicator
    int ranks_on_host = 1;              //!< of all that were launched, those on this rank's host
};

//! Collective, before any other torch work. Chooses the GPU by local rank, fixes the threads, logs where
//! every rank is. Error(usage) if the job asks for a GPU and there is none, or if ranks share one unasked.
Placement place_ranks(comm::Communicator const& comm, job::Compute const& compute, bool share_gpus);

//! "node1 node2": each host once, in byte order; and the same for GPUs' UUIDs.
std::string hosts(Placement const& placement);
std::string gpus(Placement const& placement);

} // namespace assay::app
