#include "app/generation.hpp"
#include "app/valuation_reduce.hpp"
#include "app/valuation_searches.hpp"
#include "app/valuation_sheet.hpp"
#include "app/valuation_subject.hpp"

#include "assay/base/error.hpp"
#include "assay/base/fault.hpp"
#include "assay/base/log.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/data/selection.hpp"
#include "assay/report/summary.hpp"
#include "assay/report/valuation.hpp"
#include "assay/valuation/columns.hpp"
#include "assay/valuation/neighbour_pass.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

namespace assay::app {

namespace {

// Collective. What the generator of this job learns from: all that is to be credited
GenerationPlan generation_plan(JobRun const& run, Files const& files) {
    GenerationPlan plan;
    plan.classes = data::count_classes(run.comm, run.job.valuation_data.classes, {&files.training, 1});
    plan.candidates =
        view_of(run, files.training, run.job.valuation_data.training_count, "dataset.training_count");
    plan.training = plan.candidates;
    plan.inputs = {hash_input(run.comm, "training_sha256", "training file", run.job.valuation_data.training),
                   hash_input(run.comm, "generator_sha256", "generator file", run.job.generator.file)};
    plan.results = run.files.generation();
    plan.data_set = run.files.generated();
    plan.sheet = run.files.samples();
    return plan;
}

// Collective. What this job generates, if nothing is seen to be wrong with that or with the credit for it,
// and how large the latter will be
std::pair<GenerationPlan, ValuationSize> checked_generation(JobRun const& run) {
    Files const files = open_files(run, {});
    check_files(run, files);
    GenerationPlan plan = generation_plan(run, files);
    check_generation(run, plan);
    ValuationSize const size = check_before_generation(run, files, plan.candidates);
    return {std::move(plan), size};
}

// Collective. Makes the generated samples, unless an earlier run of this job has
void make_generated(JobRun const& run, GenerationPlan const& plan) {
    bool const there = comm::agree(run.comm, [&] {
        if (!run.comm.is_root() || !std::filesystem::exists(plan.results))
            return false;
        check_same_inputs(plan.results, run.job, plan.inputs);
        return true;
    });
    if (comm::broadcast(run.comm, std::int64_t{there}) == 0)
        generate(run, plan);
}

// Collective. The results file's layout, all of it known before the first search
store::ResultLayout layout_of(JobRun const& run, Subject const& subject,
                              std::vector<valuation::Search> const& searches, std::uint64_t block) {
    store::ResultLayout layout;
    announce_facts(layout, subject.sides, subject.facts);
    announce_searches(layout, searches);
    layout.shards = valuation::neighbour_shards(searches, block).size();
    valuation::Extent const extent =
        comm::agree(run.comm, [&] { return extent_of(subject.sides, subject.facts, searches.front().k); });
    valuation::announce(layout, extent, valuation::options_of(run.job));
    return layout;
}

// Wall-clock seconds of the stages (C4), for people: they differ from run to run
struct Costs {
    double features = 0, search = 0, reduce = 0;
};

class Stopwatch {
  public:
    // Seconds since the last call
    double lap() {
        auto const now = std::chrono::steady_clock::now();
        std::chrono::duration<double> const since = now - std::exchange(start_, now);
        return since.count();
    }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::string described(Costs const& costs, std::uint64_t generated, pass::PassSummary const& shards) {
    double const each = 1000 / static_cast<double>(generated);
    return fmt::format(
        "cost (C4), ms per generated sample: features {:.3f}, search {:.3f}, reduction {:.3f}{}\n",
        costs.features * each, costs.search * each, costs.reduce * each,
        shards.resumed > 0
            ? fmt::format(" ({} of {} shards were there already)", shards.resumed, shards.shards)
            : "");
}

// Root. Values, completes the results file, writes what lies beside it, prints the answer
void finish(JobRun const& run, Sides const& sides, pass::PassSummary const& summary, Costs costs) {
    Stopwatch stopwatch;
    std::filesystem::path const results = run.files.results();
    ReducedValuation const reduced = reduce_valuation(store::partial_of(results), run.job, run.job.job.name);
    costs.reduce = stopwatch.lap();
    write_valuation_sheet(run, sides, store::partial_of(results), reduced.valuation);
    write_removal_lists(run.files.folder, reduced, run.job);
    fault_point("reduce");
    store::complete(results, valuation::metrics(reduced.valuation), {{"finished", utc_now()}},
                    {{"shards_resumed", static_cast<std::int64_t>(summary.resumed)}});
    report::write_summary(run.files.folder, report::summary(reduced.valuation, reduced.context), true);
    say(run, fmt::format("{}{}results: {}\n{}\n", report::table(reduced.valuation, reduced.context),
                         described(costs, sides.generated.size(), summary), results.string(),
                         report::answer(reduced.valuation)));
}

// Collective. The data set file of the generated samples: the job's, or the one it makes
std::filesystem::path generated_file(JobRun const& run) {
    if (!run.job.valuation_data.generated.empty())
        return run.job.valuation_data.generated;
    auto const [plan, size] = checked_generation(run);
    check_memory(run, size);
    stop_before_work(run.comm, std::filesystem::exists(run.files.generator()));
    make_generated(run, plan);
    return run.files.generated();
}

} // namespace

void run_valuation(JobRun const& run) {
    comm::Communicator const& comm = run.comm;
    std::filesystem::path const generated = generated_file(run);
    std::unique_ptr<Subject const> const subject = make_subject(run, open_files(run, generated), generated);
    check_memory(run, subject->size);
    Sides const& sides = subject->sides;
    spdlog::info("{}: {} training samples, {} generated, {} held-out, {} rank(s), device {}",
                 run.job.job.name, sides.training.size(), sides.generated.size(),
                 sides.held_out ? sides.held_out->size() : 0, comm.size(), run.placement.device.str());
    stop_before_work(comm, store::ResultFile::has_partial(run.files.results()) ||
                               store::ResultFile::has_partial(run.files.features()));
    Costs costs;
    Stopwatch stopwatch;
    FeatureSpaces const spaces = make_feature_spaces(run, sides, subject->inputs);
    costs.features = stopwatch.lap();

    std::vector<valuation::Search> const searches = searches_of(run, sides, spaces);
    valuation::NeighbourOptions const options = search_options(run, searches);
    pass::PassSummary const summary = compute_and_close(
        open_results(run, run.files.results(), layout_of(run, *subject, searches, options.block),
                     subject->inputs,
                     [&](store::ResultFile& file) {
                         write_facts(comm, file, sides, subject->facts);
                         write_checked_queries(run, file, sides, searches);
                     }),
        [&](store::ResultFile& file) { return valuation::find_neighbours(comm, file, searches, options); });
    costs.search = stopwatch.lap();
    comm::agree(comm, [&] {
        if (comm.is_root())
            finish(run, sides, summary, costs);
    });
}

void check_valuation(JobRun const& run) {
    std::filesystem::path const& generated = run.job.valuation_data.generated;
    if (generated.empty()) {
        auto const [plan, size] = checked_generation(run);
        warn_of_memory(run, size);
        if (run.comm.is_root())
            fmt::print(
                "{}: fine; {} to train on {} samples, {} to generate and to credit them for, results in "
                "{}\n",
                run.request.job.string(), run.job.generator.network, plan.training.size(),
                run.job.generate.count, run.files.results().string());
        return;
    }
    auto const subject = make_subject(run, open_files(run, generated), generated);
    warn_of_memory(run, subject->size);
    if (run.comm.is_root())
        fmt::print(
            "{}: fine; {} training samples to credit for {} generated ones, space {}, {} neighbours each, "
            "results in {}\n",
            run.request.job.string(), subject->sides.training.size(), subject->sides.generated.size(),
            run.job.features.space, list_length(run, subject->sides.training.size()),
            run.files.results().string());
}

} // namespace assay::app
