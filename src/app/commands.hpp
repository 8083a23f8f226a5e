//! The commands behind the command line. Each returns normally on success and throws assay::Error otherwise.
#pragma once

#include "assay/comm/communicator.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace assay::app {

//! What `assay run` and `assay check` are told.
struct RunRequest {
    std::filesystem::path job;
    std::vector<std::string> overrides;
    std::filesystem::path output; //!< empty: output.directory, else runs/<name>
    bool resume = false;
    bool overwrite = false;
    bool allow_size_mismatch = false;
    bool share_gpus = false;
    std::string command_line;
};

//! Collective. The whole pipeline; prints the table and, last, the answer on root's standard output.
void run(comm::Communicator const& comm, RunRequest const& request);

//! Collective (usually one rank). Finds everything that can be wrong without computing: job, data, model,
//! output.
void check(comm::Communicator const& comm, RunRequest const& request);

//! What `assay reduce` and `assay report` are told.
struct ReduceRequest {
    std::filesystem::path results;
    std::vector<std::string> overrides;
    std::filesystem::path output; //!< folder of summary.json; empty: beside the results
    bool overwrite = false;
};

//! Serial. Fits again from the columns of a results file, which is not changed; prints as run() does.
void reduce(ReduceRequest const& request);

} // namespace assay::app
