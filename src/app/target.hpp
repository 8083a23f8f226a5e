//! The audited model: loaded from a file, or trained as the job says.
#pragma once

#include "app/output_folder.hpp"
#include "assay/data/split.hpp"
#include "assay/job/job.hpp"
#include "assay/model/autoregressive_networks.hpp"
#include "assay/model/batch.hpp"
#include "assay/model/classifier_networks.hpp"
#include "assay/model/diffusion_networks.hpp"

#include <memory>
#include <string>
#include <variant>

namespace assay::app {

//! A model of any family, behind its family's interface.
using Model = std::variant<std::shared_ptr<model::Classifier>, std::shared_ptr<model::Autoregressive>,
                           std::shared_ptr<model::Diffusion>>;

//! A built-in network of any family, to be trained.
using BuiltIn =
    std::variant<std::shared_ptr<model::ClassifierNetwork>, std::shared_ptr<model::AutoregressiveNetwork>,
                 std::shared_ptr<model::DiffusionNetwork>>;

struct Target {
    Model model;
    std::string sha256; //!< of the model's bytes
    std::string origin; //!< for messages: a file, or "cnn trained by this job"
    std::shared_ptr<model::Classifier> public_model = nullptr; //!< or none
};

model::Normalisation normalisation(job::Job const& job);

//! Local. The untrained network that `options` name, on `device`, in evaluation mode. Error(usage) for
//! samples that it cannot take.
BuiltIn build(job::Network const& options, std::string const& family, data::Split const& split,
              std::uint64_t seed, torch::Device device);
std::shared_ptr<model::Network> as_network(BuiltIn const& network);
Model as_model(BuiltIn const& network);

//! Local. SHA-256 of the parameters' bytes, in the network's own order.
std::string fingerprint(model::Network const& network);

//! Collective. Loads the model file (root reads, all receive) or trains; then runs a trial batch through it.
//! `training_key` is what a checkpoint must match to be gone on with.
Target make_target(comm::Communicator const& comm, job::Job const& job, data::Split const& split,
                   std::string const& training_key, OutputFiles const& files, bool resume,
                   torch::Device device);

//! Collective. The same without training: an untrained network stands in for the trained one.
Target make_trial_target(comm::Communicator const& comm, job::Job const& job, data::Split const& split,
                         torch::Device device);

} // namespace assay::app
