//! Checkpoints of a training run: network, optimiser, averaged weights, epochs done, and the hash of the job
//! they belong to.
#pragma once

#include "assay/comm/communicator.hpp"
#include "assay/model/network.hpp"

#include <filesystem>
#include <optional>

#include <torch/optim/optimizer.h>

namespace assay::model {

//! Collective; root writes under a temporary name, makes it durable, renames it. Error(io) on all ranks if it
//! fails.
void save_checkpoint(comm::Communicator const& comm, std::filesystem::path const& path,
                     std::string const& job_hash, Network const& network,
                     torch::optim::Optimizer const& optimizer, torch::nn::Module const& average,
                     std::int64_t epochs_done);

//! Collective; root reads, all ranks load. Returns the epochs done; 0, touching nothing, if there is no such
//! file. Error(usage) for a checkpoint of another job, Error(data) for a file that is none.
std::int64_t load_checkpoint(comm::Communicator const& comm, std::filesystem::path const& path,
                             std::string const& job_hash, Network& network,
                             torch::optim::Optimizer& optimizer, torch::nn::Module& average,
                             torch::Device device);

//! A training that has come to its end.
struct Ended {
    std::string job_hash;
    std::int64_t epochs = 0;
};

//! Collective. The weights that a training, of whatever job unless `wanted` says which, left in a checkpoint:
//! their averages, where it averaged (`ema` as in that training). Error(data) for a file that is none, or
//! weights of another network; Error(usage) for another training than the wanted one, or one that has not
//! ended.
void load_trained(comm::Communicator const& comm, std::filesystem::path const& path, Network& network,
                  double ema, torch::Device device, std::optional<Ended> const& wanted = {});

//! Collective. Root's file, byte by byte, on every rank. Error(data) if it cannot be read.
std::string read_and_broadcast(comm::Communicator const& comm, std::filesystem::path const& path);

} // namespace assay::model
