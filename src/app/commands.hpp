//! The commands behind the command line. Each returns normally on success and throws assay::Error otherwise.
#pragma once

#include "assay/comm/communicator.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
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

//! What `assay sweep` is told.
struct SweepRequest {
    RunRequest run;                   //!< of every cell; `output` is the folder of their folders
    std::optional<std::int64_t> cell; //!< only this one, as run() does it, on all ranks
};

//! Collective. Runs the cells of a job file with [sweep], each on a group of ranks; then root makes the table
//! of all, on its standard output and in the sweep's folder. A cell that fails with an error its ranks agreed
//! on leaves the others alone, and is named at the end.
void sweep(comm::Communicator const& comm, SweepRequest const& request);

//! Serial. Reads and checks the job of every cell; prints a line for each.
void list_cells(RunRequest const& request);
//! Serial. The table alone, of the cells that are complete; Error(data) naming the others, if any.
void collect_cells(RunRequest const& request);

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

//! Serial. Fits again from the columns of a results file, which is not changed; returns what run() prints.
std::string reduce(ReduceRequest const& request);

} // namespace assay::app
