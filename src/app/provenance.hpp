//! What a results file says of its making.
#pragma once

#include "app/placement.hpp"

#include "assay/comm/communicator.hpp"
#include "assay/job/job.hpp"
#include "assay/store/result_file.hpp"

#include <string>

namespace assay::app {

//! The identity of a run's inputs; a resumed run must have the same.
struct Inputs {
    std::string suspects_sha256, held_out_sha256, filler_sha256, model_sha256;
};

//! Collective. A file's identity: the SHA-256 of the list of the SHA-256s of its pieces of 64 MiB, one line
//! each, so that ranks share the reading: split -b 64M --filter=sha256sum FILE | cut -c-64 | sha256sum
std::string hash_file(comm::Communicator const& comm, std::filesystem::path const& path);

//! Collective. Hashes the data files; the model's hash is the caller's to add.
Inputs hash_inputs(comm::Communicator const& comm, job::Job const& job);

//! What a training is a function of, hashed: the job and its data files.
std::string training_key(job::Job const& job, Inputs const& inputs);

//! Local. Error(usage) if a complete results file is of another job.
void check_same_job(std::filesystem::path const& results, job::Job const& job);

//! Collective. Adds the root attributes to a layout.
void add_provenance(store::ResultLayout& layout, comm::Communicator const& comm, job::Job const& job,
                    Inputs const& inputs, Placement const& placement, std::string const& command_line);

//! Local. Error(usage) naming what differs, if a partial file belongs to another job, data set or model; a
//! warning if it was begun on another device, with other threads or by another build. For root: devices of
//! other ranks have other numbers.
void check_same_run(store::ResultFile const& file, job::Job const& job, Inputs const& inputs,
                    Placement const& placement, std::filesystem::path const& path);

//! "2026-01-31T12:00:00Z"
std::string utc_now();

} // namespace assay::app
