//! Data-parallel training of a built-in network of any family, with the same bits on any number of ranks.
#pragma once

#include "assay/comm/communicator.hpp"
#include "assay/data/view.hpp"
#include "assay/job/job.hpp"
#include "assay/model/network.hpp"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace assay::model {

//! What a training run needs beside its data.
struct TrainingRun {
    job::Optimisation options;
    Normalisation normalisation;
    std::uint64_t seed = 0;
    std::string job_hash; //!< a checkpoint of another job is refused
    std::filesystem::path
        checkpoint;      //!< written by root every options.checkpoint_every epochs and at the end
    bool resume = false; //!< go on from `checkpoint` if it is there
    std::string section = "model.train"; //!< of the job file, for messages
};

//! What a network learns from. All of one shape and type.
struct TrainingData {
    std::vector<data::View> parts; //!< one after the other; empty ones are skipped
    //! Logged every options.evaluate_every epochs, under a name each.
    std::vector<std::pair<std::string, data::View>> watched = {};
};

//! Collective. Trains `network` (the same on all ranks, on `device`) on data.parts and leaves it in
//! evaluation mode, again the same on all ranks; where options.ema is not 0, its weights are then averages.
//! The gradient of each batch is the sum over the whole batch: ranks compute it in units of micro_batch
//! samples at fixed positions, added in order (comm::ordered_sum). The training set is held in memory by
//! every rank. Error(data) if the loss stops being finite; Error(stopped) on a stop request, the state saved.
void train(comm::Communicator const& comm, Network& network, TrainingData const& data, TrainingRun const& run,
           torch::Device device);

//! Learning rate at a moment of the run, `epoch` in [0, options.epochs) with its fraction.
double learning_rate(job::Optimisation const& options, double epoch);

} // namespace assay::model
