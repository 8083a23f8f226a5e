//! The pass: every shard of every source is read, computed and written once, by whichever rank takes it.
#pragma once

#include "assay/comm/communicator.hpp"
#include "assay/data/dataset.hpp"
#include "assay/pass/shards.hpp"
#include "assay/store/result_file.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace assay::pass {

//! One sequence of samples and the columns computed from it.
struct Source {
    std::string name;                       //!< for messages
    std::uint64_t size = 0;                 //!< N, samples
    std::vector<std::string> columns;       //!< float32 [N] or [N, width] columns of the results file
    std::vector<std::uint64_t> widths = {}; //!< of the columns; empty: 1 each
    //! Samples [begin, end), possibly with others that they are computed with. Runs on a thread of its own
    //! while compute() works on the shard before; may use HDF5, no MPI.
    std::function<data::Samples(std::uint64_t begin, std::uint64_t end)> read;
    //! Values of the samples that read() returned, column after column, each [n, width]. Runs on the main
    //! thread and may use neither HDF5 nor MPI. Batches must be cut at positions inside the shard.
    std::function<std::vector<float>(data::Samples&& samples)> compute;

    std::uint64_t width(std::size_t column) const { return widths.empty() ? 1 : widths[column]; }
    //! Values per sample in all columns together.
    std::uint64_t row_values() const;
};

struct PassOptions {
    std::uint64_t shard_size = 1024;
    double commit_seconds = 10; //!< root decides on time; all commit together
};

//! Collective. Computes the shards that `file` does not hold yet: while one is computed, the next is read;
//! what is written is flushed before it is marked done. What is marked done but does not match its checksum
//! is computed again. On a stop request the work so far is committed, the file closed and Error(stopped)
//! thrown on all ranks.
PassSummary run_pass(comm::Communicator const& comm, store::ResultFile& file, std::span<Source const> sources,
                     PassOptions const& options);

} // namespace assay::pass
