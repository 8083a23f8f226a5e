#include "app/job_run.hpp"
#include "app/partner_images.hpp"
#include "app/references.hpp"
#include "app/target.hpp"
#include "app/usage_pass.hpp"

#include "assay/base/fault.hpp"
#include "assay/base/log.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/report/summary.hpp"
#include "assay/usage/columns.hpp"
#include "assay/usage/partners.hpp"

#include <cstdio>

namespace assay::app {

namespace {

// Collective. Every sample's values, shared out over the ranks
void check_parts(JobRun const& run, data::Split const& split, Inputs const& inputs, torch::Device device) {
    comm::Communicator const& comm = run.comm;
    check_samples(comm, split.suspects.dataset());
    if (split.held_out)
        check_samples(comm, split.held_out->dataset());
    for (data::View const* filler : {&split.filler, &split.reference_filler})
        if (filler->size() > 0)
            check_samples(comm, filler->dataset());
    if (run.job.redraws())
        check_partner_images(run, split, inputs, device);
    if (run.job.mixes())
        comm::agree(comm, [&] {
            usage::Neighbourhoods groups(split.suspects, run.seed());
            for (auto block = static_cast<std::uint64_t>(comm.rank()); block < groups.blocks();
                 block += static_cast<std::uint64_t>(comm.size()))
                groups.load(block);
        });
}

// What a job would compute
struct Trial {
    std::size_t signals = 0;
    std::uint64_t shards = 0;
};

// Collective. All that can be wrong with networks and signals, before hours are spent on the first of them
Trial try_models(JobRun const& run, data::Split const& split, Inputs const& inputs, torch::Device device) {
    Target const target = make_trial_target(run.comm, run.job, split, device);
    auto const references = run.job.references.folder.empty()
                                ? make_trial_references(run.comm, run.job, split, device)
                                : make_references(run, split, inputs, device).models;
    return comm::agree(run.comm, [&]() -> Trial {
        auto const sources = usage_sources(run.job, split, target, references, partner_file(run), device);
        return {job_signals(run.job, split, target).size(),
                pass::ShardPlan(sources, run.shard_size()).size()};
    });
}

// Collective
Inputs hash_inputs(JobRun const& run) {
    job::Job const& job = run.job;
    return {hash_input(run.comm, "suspects_sha256", "suspects file", job.dataset.suspects),
            hash_input(run.comm, "held_out_sha256", "held-out file", job.dataset.held_out),
            hash_input(run.comm, "filler_sha256", "filler file", job.trains() ? job.train.filler : ""),
            hash_input(run.comm, "reference_filler_sha256", "reference models' filler file",
                       job.references.count > 0 ? job.references.filler : ""),
            hash_input(run.comm, "generator_sha256", "generator file", job.generator.file),
            hash_input(run.comm, "public_model_sha256", "public model", job.model.public_file)};
}

// Root. Fits, completes the results file, writes the summary, prints the answer
void reduce_and_finish(JobRun const& run, pass::PassSummary const& summary) {
    job::Job const& job = run.job;
    std::filesystem::path const results = run.files.results(), partial = store::partial_of(results);
    usage::AuditInput const input = usage::read_columns(partial, job);
    usage::Audit const audit = usage::audit_usage(input, usage::audit_options(job));
    fault_point("reduce");
    auto const truth = report::read_truth(partial, input);
    store::Metrics const metrics = usage::metrics(audit);
    store::complete(results, {&metrics, 1}, {{"finished", utc_now()}},
                    {{"shards_resumed", static_cast<std::int64_t>(summary.resumed)}});
    report::write_summary(run.files.folder, report::summary(job.job.name, audit, truth), true);
    say(run, fmt::format("{}results: {}\n{}\n", report::table(job.job.name, audit, truth), results.string(),
                         report::answer(audit)));
}

} // namespace

void run_usage(JobRun const& run) {
    comm::Communicator const& comm = run.comm;
    job::Job const& job = run.job;
    torch::Device const device = run.placement.device;
    data::Split const split = data::make_split(comm, job);
    Inputs inputs = hash_inputs(run);
    check_parts(run, split, inputs, device);
    spdlog::info("{}: {} suspects, {} held-out samples, {} rank(s), device {}", job.job.name,
                 split.suspects.size(), split.held_out ? split.held_out->size() : 0, comm.size(),
                 device.str());
    stop_before_work(comm, store::ResultFile::has_partial(run.files.results()) ||
                               std::filesystem::exists(run.files.checkpoint()) ||
                               std::filesystem::exists(run.files.generator()) ||
                               store::ResultFile::has_partial(run.files.partners()) ||
                               std::filesystem::exists(run.files.partners()) ||
                               std::filesystem::exists(run.files.reference(0)));
    if (job.trains() || job.references.count > 0)
        try_models(run, split, inputs, device);
    std::string const key = training_key(job, inputs);
    auto const hash_partners = [&](std::filesystem::path const& path) {
        return hash_input(comm, "partners_sha256", "file of partners", path);
    };
    Input const partners = hash_partners(job.dataset.partners); // as they were checked: trainings take hours
    Target const target = make_target(comm, job, split, key, run.files, run.request.resume, device);
    if (job.redraws())
        make_partner_images(run, split, inputs);
    ReferenceModels const references = make_references(run, split, inputs, device);
    inputs.push_back({"model_sha256", "model", target.sha256});
    inputs.push_back({"reference_models_sha256", "reference models", references.sha256});
    inputs.push_back(job.redraws() && partners.sha256.empty() ? hash_partners(run.files.partners())
                                                              : partners);
    std::vector<pass::Source> const sources = comm::agree(comm, [&] {
        return usage_sources(job, split, target, references.models, partner_file(run), device);
    });
    auto const shards = pass::ShardPlan(sources, run.shard_size()).size();
    auto const write_known = [&](store::ResultFile& file) { write_known_columns(comm, file, job, split); };
    pass::PassSummary const summary = compute_and_close(
        open_results(run, run.files.results(),
                     usage_layout(job, split, job_signals(job, split, target), shards), inputs, write_known),
        [&](store::ResultFile& file) {
            return pass::run_pass(comm, file, sources, {run.shard_size(), job.output.commit_seconds});
        });
    comm::agree(comm, [&] {
        if (comm.is_root())
            reduce_and_finish(run, summary);
    });
}

void check_usage(JobRun const& run) {
    job::Job const& job = run.job;
    data::Split const split = data::make_split(run.comm, job);
    bool const reuses = !job.references.folder.empty() || !job.dataset.partners.empty();
    Inputs const inputs = reuses ? hash_inputs(run) : Inputs(); // of large files the reading takes minutes
    check_parts(run, split, inputs, torch::kCPU);               // a login node has no GPU
    Trial const trial = try_models(run, split, inputs, torch::kCPU);
    if (run.comm.is_root())
        fmt::print(
            "{}: fine; {} suspects, {} held-out samples, {}{} classes, {} signals, {} shards, results "
            "in {}\n",
            run.request.job.string(), split.suspects.size(), split.held_out ? split.held_out->size() : 0,
            job.trains() ? fmt::format("{} to train on, ", split.members.size() + split.filler.size()) : "",
            split.classes, trial.signals, trial.shards, run.files.results().string());
}

} // namespace assay::app
