#include "app/job_run.hpp"

#include "assay/base/error.hpp"
#include "assay/base/log.hpp"
#include "assay/base/signals.hpp"
#include "assay/comm/collectives.hpp"

#include <cstdio>

namespace assay::app {

void say(JobRun const& run, std::string const& found) {
    if (!run.is_cell) {
        fmt::print("{}", found);
        return;
    }
    std::string_view line(found);
    line.remove_suffix(line.ends_with('\n') ? 1 : 0);
    spdlog::info("{}", line.substr(line.rfind('\n') + 1)); // all of it where there is one line
}

void stop_before_work(comm::Communicator const& comm, bool begun) {
    if (comm::all_max(comm, stop_requested()) == 0)
        return;
    if (comm::broadcast(comm, std::int64_t{begun}) == 0)
        throw comm::AgreedError(Exit::stopped, "stopped on a signal before anything was computed. Run again");
    throw comm::AgreedError(
        Exit::internal,
        "stopped on a signal before this restart finished a shard or epoch (its time went into "
        "reading and checking the data). Give it more time, and go on with --resume");
}

void check_samples(comm::Communicator const& comm, data::Dataset const& dataset) {
    data::Slice const mine = data::my_slice(comm, dataset.info().size);
    comm::agree(comm, [&] { data::check_values(dataset, mine.begin, mine.end); });
    data::check_unique_ids(comm, dataset);
}

bool is_finished(JobRun const& run, std::filesystem::path const& path, Inputs const& inputs) {
    auto const found = comm::agree(run.comm, [&]() -> std::int64_t {
        if (!run.comm.is_root() || !run.request.resume || !std::filesystem::exists(path))
            return 0;
        check_same_inputs(path, run.job, inputs);
        return 1;
    });
    return comm::broadcast(run.comm, found) != 0;
}

store::ResultFile open_results(JobRun const& run, std::filesystem::path const& path,
                               store::ResultLayout layout, Inputs const& inputs,
                               WriteKnown const& write_known) {
    comm::Communicator const& comm = run.comm;
    bool const go_on =
        run.request.resume && comm::broadcast(comm, std::int64_t{store::ResultFile::has_partial(path)}) != 0;
    if (go_on) {
        store::ResultFile file = store::ResultFile::reopen(comm, path);
        try {
            // On all ranks, for the message; attributes are read together
            comm::agree(comm, [&] { check_same_run(file, run.job, inputs, run.placement, path); });
        } catch (comm::AgreedError const&) {
            file.close();
            throw;
        }
        write_known(file); // the run before may have been killed in the middle of this
        return file;
    }
    add_provenance(layout, comm, run.job, inputs, run.placement, run.request.command_line);
    store::ResultFile file = store::ResultFile::create(comm, path, layout);
    write_known(file);
    return file;
}

pass::PassSummary compute_and_close(store::ResultFile file,
                                    std::function<pass::PassSummary(store::ResultFile&)> const& work) {
    pass::PassSummary summary;
    try {
        summary = work(file);
    } catch (comm::AgreedError const& error) {
        if (error.code() != Exit::io) // then it could only fail again
            file.close();
        throw;
    }
    file.close();
    return summary;
}

void announce_samples(store::ResultLayout& layout, std::string const& prefix, std::uint64_t size) {
    layout.columns.push_back(
        {prefix + "/id", store::native_type<std::uint64_t>(), {size}, "sample id", "1", ""});
    layout.columns.push_back(
        {prefix + "/label", store::native_type<std::int64_t>(), {size}, "label", "1", ""});
}

void write_samples(comm::Communicator const& comm, store::ResultFile& file, std::string const& prefix,
                   data::View const& view) {
    write_in_slices(comm, file, prefix + "/id", view.size(),
                    [&](std::uint64_t begin, std::uint64_t end) { return view.ids(begin, end); });
    write_in_slices(comm, file, prefix + "/label", view.size(), [&](std::uint64_t begin, std::uint64_t end) {
        return view.info().has_labels ? view.labels(begin, end) : std::vector<std::int64_t>(end - begin, -1);
    });
}

} // namespace assay::app
