//! The audited model: loaded from a file, or trained as the job says.
#pragma once

#include "app/output_folder.hpp"
#include "assay/data/split.hpp"
#include "assay/job/job.hpp"
#include "assay/model/autoregressive.hpp"
#include "assay/model/batch.hpp"
#include "assay/model/classifier.hpp"
#include "assay/model/diffusion.hpp"

#include <memory>
#include <string>
#include <variant>

namespace assay::app {

//! A model of any family, behind its family's interface.
using Model = std::variant<std::shared_ptr<model::Classifier>, std::shared_ptr<model::Autoregressive>,
                           std::shared_ptr<model::Diffusion>>;

struct Target {
    Model model;
    std::string sha256; //!< of the model's bytes
    std::string origin; //!< for messages: a file, or "cnn trained by this job"
};

model::Normalisation normalisation(job::Job const& job);

//! Collective. Loads the model file (root reads, all receive) or trains; then runs a trial batch through it.
//! `training_key` is what a checkpoint must match to be gone on with.
Target make_target(comm::Communicator const& comm, job::Job const& job, data::Split const& split,
                   std::string const& training_key, OutputFiles const& files, bool resume,
                   torch::Device device);

//! Collective. The same without training: an untrained network stands in for the trained one.
Target make_trial_target(comm::Communicator const& comm, job::Job const& job, data::Split const& split,
                         torch::Device device);

} // namespace assay::app
