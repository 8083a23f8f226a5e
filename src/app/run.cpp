#include "app/commands.hpp"
#include "app/output_folder.hpp"
#include "app/provenance.hpp"
#include "app/target.hpp"
#include "app/usage_pass.hpp"

#include "assay/base/error.hpp"
#include "assay/base/fault.hpp"
#include "assay/base/log.hpp"
#include "assay/base/signals.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/comm/message.hpp"
#include "assay/data/choose.hpp"
#include "assay/job/job_file.hpp"
#include "assay/model/torch_setup.hpp"
#include "assay/report/summary.hpp"
#include "assay/usage/columns.hpp"
#include "assay/usage/partners.hpp"

#include <cstdio>

namespace assay::app {

namespace {

job::Job read_job(comm::Communicator const& comm, RunRequest const& request) {
    job::Job job;
    comm::agree(comm, [&] {
        if (comm.is_root())
            job = job::read(request.job, request.overrides);
    });
    comm::broadcast_object(comm, job);
    return job;
}

OutputFiles output_of(job::Job const& job, RunRequest const& request) {
    if (!request.output.empty())
        return {request.output};
    return {job.output.directory.empty() ? std::filesystem::path("runs") / job.job.name
                                         : std::filesystem::path(job.output.directory)};
}

// Collective. Every sample's values, shared out over the ranks
void check_samples(comm::Communicator const& comm, job::Job const& job, data::Split const& split) {
    for (data::View const* view : {&split.suspects, split.held_out ? &*split.held_out : nullptr,
                                   split.filler.size() ? &split.filler : nullptr}) {
        if (!view)
            continue;
        data::Slice const mine = data::my_slice(comm, view->dataset().info().size);
        comm::agree(comm, [&] { data::check_values(view->dataset(), mine.begin, mine.end); });
        data::check_unique_ids(comm, view->dataset());
    }
    if (job.uses_partners())
        comm::agree(comm, [&] {
            usage::MixingCycles cycles(split.suspects, static_cast<std::uint64_t>(job.job.seed));
            for (auto block = static_cast<std::uint64_t>(comm.rank()); block < cycles.blocks();
                 block += static_cast<std::uint64_t>(comm.size()))
                cycles.load(block);
        });
}

// Collective. From here on a stop waits for the next shard or epoch, so that every restart gets further. One
// that was asked to stop before would only do the same again, and must not be sent back to the queue for ever
void stop_before_work(comm::Communicator const& comm, OutputFiles const& files) {
    if (comm::all_max(comm, stop_requested()) == 0)
        return;
    bool const begun =
        store::ResultFile::has_partial(files.results()) || std::filesystem::exists(files.checkpoint());
    if (comm::broadcast(comm, std::int64_t{begun}) == 0)
        throw comm::AgreedError(Exit::stopped, "stopped on a signal before anything was computed. Run again");
    throw comm::AgreedError(
        Exit::internal,
        "stopped on a signal before this restart finished a shard or epoch (its time went into "
        "reading and checking the data). Give it more time, and go on with --resume");
}

// Collective. A new file, or the unfinished one of this very job
store::ResultFile open_results(comm::Communicator const& comm, job::Job const& job, data::Split const& split,
                               Target const& target, OutputFiles const& files, store::ResultLayout layout,
                               Inputs inputs, Placement const& placement, RunRequest const& request) {
    inputs.model_sha256 = target.sha256;
    bool const go_on =
        request.resume &&
        comm::broadcast(comm, std::int64_t{store::ResultFile::has_partial(files.results())}) != 0;
    if (go_on) {
        store::ResultFile file = store::ResultFile::reopen(comm, files.results());
        try {
            // On all ranks, for the message; attributes are read together
            comm::agree(comm, [&] { check_same_run(file, job, inputs, placement, files.results()); });
        } catch (comm::AgreedError const&) {
            file.close();
            throw;
        }
        write_known_columns(comm, file, job,
                            split); // the run before may have been killed in the middle of this
        return file;
    }
    add_provenance(layout, comm, job, inputs, placement, request.command_line);
    store::ResultFile file = store::ResultFile::create(comm, files.results(), layout);
    write_known_columns(comm, file, job, split);
    return file;
}

// Collective. Computes all columns and closes the file, whatever happens on all ranks alike
pass::PassSummary compute_columns(comm::Communicator const& comm, store::ResultFile file,
                                  std::vector<pass::Source> const& sources, job::Job const& job) {
    pass::PassOptions const options{static_cast<std::uint64_t>(job.compute.shard_size),
                                    job.output.commit_seconds};
    pass::PassSummary summary;
    try {
        summary = pass::run_pass(comm, file, sources, options);
    } catch (comm::AgreedError const& error) {
        if (error.code() != Exit::io) // then it could only fail again
            file.close();
        throw;
    }
    file.close();
    return summary;
}

// Root. Fits, completes the results file, writes the summary, prints the answer
void reduce_and_finish(job::Job const& job, OutputFiles const& files, pass::PassSummary const& summary) {
    std::filesystem::path const partial = store::partial_of(files.results());
    usage::AuditInput const input = usage::read_columns(partial, job);
    usage::Audit const audit = usage::audit_usage(input, usage::audit_options(job));
    fault_point("reduce");
    auto const truth = report::read_truth(partial, input);
    store::complete(files.results(), usage::metrics(audit), {{"finished", utc_now()}},
                    {{"shards_resumed", static_cast<std::int64_t>(summary.resumed)}});
    report::write_summary(files.folder, report::summary(job.job.name, audit, truth), true);
    fmt::print("{}results: {}\n{}\n", report::table(job.job.name, audit, truth), files.results().string(),
               report::answer(audit));
}

} // namespace

void run(comm::Communicator const& comm, RunRequest const& request) {
    check_world_size(comm, request.allow_size_mismatch);
    job::Job const job = read_job(comm, request);
    Placement const placement = place_ranks(comm, job.compute, request.share_gpus);
    torch::Device const device = placement.device;
    OutputFiles const files = output_of(job, request);
    bool complete = false;
    OutputLock const lock = comm::agree(comm, [&] {
        if (!comm.is_root())
            return OutputLock();
        check_output(files, request.resume, request.overwrite);
        OutputLock held(files.folder);
        if (request.overwrite && !request.resume)
            clear_output(files);
        complete = std::filesystem::exists(files.results());
        return held;
    });
    if (comm::broadcast(comm, std::int64_t{complete}) != 0) {
        spdlog::info("{} is complete, nothing to do", files.results().string());
        comm::agree(comm, [&] {
            if (!comm.is_root())
                return;
            check_same_job(files.results(), job);
            reduce({files.results(), {}, files.folder, true});
        });
        return;
    }

    data::Split const split = data::make_split(comm, job);
    check_samples(comm, job, split);
    spdlog::info("{}: {} suspects, {} held-out samples, {} rank(s), device {}", job.job.name,
                 split.suspects.size(), split.held_out ? split.held_out->size() : 0, comm.size(),
                 device.str());

    Inputs const inputs = hash_inputs(comm, job);
    stop_before_work(comm, files);
    Target const target =
        make_target(comm, job, split, training_key(job, inputs), files, request.resume, device);
    std::vector<pass::Source> const sources =
        comm::agree(comm, [&] { return usage_sources(job, split, target, device); });
    auto const shards = pass::ShardPlan(sources, static_cast<std::uint64_t>(job.compute.shard_size)).size();
    store::ResultLayout layout = usage_layout(job, split, job_signals(job, split, target), shards);
    pass::PassSummary const summary = compute_columns(
        comm, open_results(comm, job, split, target, files, std::move(layout), inputs, placement, request),
        sources, job);
    comm::agree(comm, [&] {
        if (comm.is_root())
            reduce_and_finish(job, files, summary);
    });
}

void check(comm::Communicator const& comm, RunRequest const& request) {
    check_world_size(comm, /*allow_mismatch=*/true); // often one process in an allocation for many
    job::Job const job = read_job(comm, request);
    job::Compute compute = job.compute;
    if (compute.device == "cuda" && !torch::cuda::is_available()) { // a login node has none
        spdlog::info("compute.device=\"cuda\", but no GPU is visible here: places are shown without");
        compute.device = "cpu";
    }
    place_ranks(comm, compute, request.share_gpus);
    OutputFiles const files = output_of(job, request);
    comm::agree(comm, [&] { check_output(files, request.resume, request.overwrite); });
    data::Split const split = data::make_split(comm, job);
    check_samples(comm, job, split);
    Target const target = make_trial_target(comm, job, split, torch::kCPU); // a login node has no GPU
    auto const sources = comm::agree(comm, [&] { return usage_sources(job, split, target, torch::kCPU); });
    auto const shards = pass::ShardPlan(sources, static_cast<std::uint64_t>(job.compute.shard_size)).size();
    if (comm.is_root())
        fmt::print("{}: fine; {} suspects, {} held-out samples, {}{} classes, {} signals, {} shards, results "
                   "in {}\n",
                   request.job.string(), split.suspects.size(), split.held_out ? split.held_out->size() : 0,
                   job.trains() ? fmt::format("{} to train on, ", split.members.size() + split.filler.size())
                                : "",
                   split.classes, job_signals(job, split, target).size(), shards, files.results().string());
}

} // namespace assay::app
