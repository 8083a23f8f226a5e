//! Reference models: trained on halves of the suspects that are known, by this job or a run before.
#pragma once

#include "app/job_run.hpp"
#include "app/target.hpp"

#include <string>
#include <vector>

namespace assay::app {

struct ReferenceModels {
    std::vector<Model> models;
    std::string sha256; //!< of all models' fingerprints; empty: there are none
};

//! Collective. Trains job.references.count networks, reference r on split.halves[r] and the filler, groups of
//! ranks working on different ones, and gives all of them to every rank; or takes those of references.folder.
//! Each is the same on any number of ranks, and has a checkpoint of its own, whose key is what it is a
//! function of: the section, seed and preparation, the files' hashes in `inputs`, and the ids of its samples.
//! Error(usage) for a folder of others.
ReferenceModels make_references(JobRun const& run, data::Split const& split, Inputs const& inputs,
                                torch::Device device);

//! Collective. Untrained networks in their place.
std::vector<Model> make_trial_references(comm::Communicator const& comm, job::Job const& job,
                                         data::Split const& split, torch::Device device);

} // namespace assay::app
