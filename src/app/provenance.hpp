//! What a results file says of its making.
#pragma once

#include "app/placement.hpp"

#include "assay/comm/communicator.hpp"
#include "assay/job/job.hpp"
#include "assay/store/result_file.hpp"

#include <string>
#include <vector>

namespace assay::app {

//! One file or model that a run computes from; a resumed run must have the same.
struct Input {
    std::string attribute; //!< of the results file's root: "suspects_sha256"
    std::string what;      //!< for messages: "suspects file"
    std::string sha256;    //!< empty: not part of this run
};
using Inputs = std::vector<Input>;

//! Collective. A file's identity: the SHA-256 of the list of the SHA-256s of its pieces of 64 MiB, one line
//! each, so that ranks share the reading: split -b 64M --filter=sha256sum FILE | cut -c-64 | sha256sum
std::string hash_file(comm::Communicator const& comm, std::filesystem::path const& path);

//! Collective. The identity of the file at `path`, which may be empty: none.
Input hash_input(comm::Communicator const& comm, std::string attribute, std::string what,
                 std::filesystem::path const& path);

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

//! Local. Error(usage) naming what differs, if the complete file at `path` is of another job, data set or
//! model.
void check_same_inputs(std::filesystem::path const& path, job::Job const& job, Inputs const& inputs);

//! "2026-01-31T12:00:00Z"
std::string utc_now();

} // namespace assay::app
