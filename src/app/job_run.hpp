//! What every kind of job runs in, and the steps that all kinds share.
#pragma once

#include "app/commands.hpp"
#include "app/output_folder.hpp"
#include "app/placement.hpp"
#include "app/provenance.hpp"

#include "assay/comm/agree.hpp"
#include "assay/data/choose.hpp"
#include "assay/data/view.hpp"
#include "assay/job/job.hpp"
#include "assay/pass/pass.hpp"
#include "assay/store/result_file.hpp"

#include <algorithm>
#include <functional>

namespace assay::app {

//! The job read, the ranks placed, the output folder chosen.
struct JobRun {
    comm::Communicator const& comm;
    job::Job job;
    RunRequest request;
    Placement placement;
    OutputFiles files;
    bool is_cell = false; //!< of a sweep

    std::uint64_t seed() const { return static_cast<std::uint64_t>(job.job.seed); }
    std::uint64_t shard_size() const { return static_cast<std::uint64_t>(job.compute.shard_size); }
};

//! Collective. All that `assay run` does once ranks are placed: the results are made, gone on with, or there.
void run_job(JobRun const& run);

//! Root. Says what a run found, the answer in the last line: on standard output; of a cell, that line in the
//! log.
void say(JobRun const& run, std::string const& found);

// One of each per kind. Collective; run_* end with say(), check_* with one line on what would be done
void run_usage(JobRun const& run);
void check_usage(JobRun const& run);
void run_generate(JobRun const& run);
void check_generate(JobRun const& run);
void run_valuation(JobRun const& run);
void check_valuation(JobRun const& run);

//! Collective, after reading and checking, before the first shard or epoch. From here on a stop waits for the
//! next of them, so that every restart gets further. One that was asked to stop before would only do the same
//! again, and must not be sent back to the queue for ever: it ends with Exit::internal if `begun`.
void stop_before_work(comm::Communicator const& comm, bool begun);

//! Collective. Every sample's values in range, and every id once; ranks share the reading.
void check_samples(comm::Communicator const& comm, data::Dataset const& dataset);

//! Writes the columns that are known before the first shard is computed. Collective.
using WriteKnown = std::function<void(store::ResultFile& file)>;

//! Collective. Has an earlier run of this very job left the complete file at `path`, and is this one to go on
//! with it (--resume)? Error(usage) if it is of another job, data set or model.
bool is_finished(JobRun const& run, std::filesystem::path const& path, Inputs const& inputs);

//! Collective. A new results file at `path`, or, with --resume, the unfinished one of this very run;
//! Error(usage) if that is another's.
store::ResultFile open_results(JobRun const& run, std::filesystem::path const& path,
                               store::ResultLayout layout, Inputs const& inputs,
                               WriteKnown const& write_known);

//! Collective. Runs `work` on the file and closes it, whatever happens on all ranks alike.
pass::PassSummary compute_and_close(store::ResultFile file,
                                    std::function<pass::PassSummary(store::ResultFile&)> const& work);

//! Collective. Writes a column of `size` rows, each rank its slice, a piece at a time. values(begin, end) is
//! local and returns the rows' values, row after row.
template <class Values>
void write_in_slices(comm::Communicator const& comm, store::ResultFile& file, std::string const& column,
                     std::uint64_t size, Values const& values) {
    constexpr std::uint64_t kPiece = 1 << 18;
    data::Slice const mine = data::my_slice(comm, size);
    std::uint64_t const longest =
        (size + 63) / 64 / static_cast<std::uint64_t>(comm.size()) * 64 + 64; // a slice
    for (std::uint64_t done = 0; done < longest; done += kPiece) {
        std::uint64_t const begin = std::min(mine.end, mine.begin + done);
        store::RowRange const range{begin, std::min(mine.end, begin + kPiece) - begin};
        auto const piece = comm::agree(comm, [&] { return values(begin, begin + range.count); });
        using Value = typename decltype(piece)::value_type;
        file.write<Value>(column, {&range, range.count == 0 ? std::size_t{0} : 1}, piece);
    }
}

//! Announces PREFIX/id and PREFIX/label of a view; label -1 stands for none.
void announce_samples(store::ResultLayout& layout, std::string const& prefix, std::uint64_t size);
//! Collective. Writes them.
void write_samples(comm::Communicator const& comm, store::ResultFile& file, std::string const& prefix,
                   data::View const& view);

} // namespace assay::app
