//! Reference models: trained by this job on halves of the suspects that it knows.
#pragma once

#include "app/target.hpp"

#include <string>
#include <vector>

namespace assay::app {

struct ReferenceModels {
    std::vector<Model> models;
    std::string sha256; //!< of all models' fingerprints; empty: there are none
};

//! Collective. Trains job.references.count networks, reference r on split.halves[r] and the filler, groups of
//! ranks working on different ones, and gives all of them to every rank. Each is the same on any number of
//! ranks, and has a checkpoint of its own. `key` as in make_target().
ReferenceModels make_references(comm::Communicator const& comm, job::Job const& job, data::Split const& split,
                                std::string const& key, OutputFiles const& files, bool resume,
                                torch::Device device);

//! Collective. Untrained networks in their place.
std::vector<Model> make_trial_references(comm::Communicator const& comm, job::Job const& job,
                                         data::Split const& split, torch::Device device);

} // namespace assay::app
