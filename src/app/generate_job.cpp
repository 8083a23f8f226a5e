#include "app/generation.hpp"

#include "assay/base/log.hpp"
#include "assay/base/random.hpp"
#include "assay/data/selection.hpp"

#include <cmath>
#include <cstdio>

namespace assay::app {

namespace {

// Collective. Opens and draws what the job names
GenerationPlan make_plan(JobRun const& run) {
    comm::Communicator const& comm = run.comm;
    job::GenerateData const& wanted = run.job.generate_data;
    std::vector<std::shared_ptr<data::Dataset const>> files;
    comm::agree(comm, [&] {
        for (std::string const& path : {wanted.training, run.job.generate.score})
            if (!path.empty()) {
                files.push_back(std::make_shared<data::Dataset const>(path));
                data::check_alike(*files.back(), *files.front());
            }
    });
    data::Dataset const& training = *files.front();
    GenerationPlan plan;
    plan.classes = data::count_classes(comm, wanted.classes, files);
    data::Rows const all = data::draw(comm, training, data::Rows::all(training.info().size),
                                      wanted.training_count, "dataset.training_count", run.seed());
    plan.candidates = {files.front(), all};
    data::Rows const left = comm::agree(comm, [&] {
        return wanted.exclude.empty() ? all : data::without_excluded(training, all, wanted.exclude);
    });
    data::Rows used = left;
    if (wanted.share < 1) {
        auto const part =
            std::max<std::int64_t>(1, std::llround(wanted.share * static_cast<double>(left.size())));
        used = data::draw(comm, training, left, part, "dataset.share",
                          mix64(run.seed()) ^ static_cast<std::uint64_t>(wanted.subset));
    }
    plan.training = {files.front(), used};
    if (files.size() > 1)
        plan.scored = data::View(files.back(), data::Rows::all(files.back()->info().size));
    plan.results = run.files.results();
    plan.data_set = run.files.generated();
    plan.sheet = run.files.samples();
    return plan;
}

// Collective
GenerationPlan checked_plan(JobRun const& run) {
    GenerationPlan plan = make_plan(run);
    check_samples(run.comm, plan.candidates.dataset());
    if (plan.scored)
        check_samples(run.comm, plan.scored->dataset());
    check_generation(run, plan);
    return plan;
}

} // namespace

void run_generate(JobRun const& run) {
    GenerationPlan plan = checked_plan(run);
    job::Job const& job = run.job;
    spdlog::info("{}: {} trained on {} of {} samples, {} to generate, {} rank(s), device {}", job.job.name,
                 job.generator.network, plan.training.size(), plan.candidates.size(), job.generate.count,
                 run.comm.size(), run.placement.device.str());
    plan.inputs = {hash_input(run.comm, "training_sha256", "training file", job.generate_data.training),
                   hash_input(run.comm, "exclude_sha256", "exclude file", job.generate_data.exclude),
                   hash_input(run.comm, "scored_sha256", "scored file", job.generate.score),
                   hash_input(run.comm, "generator_sha256", "generator file", job.generator.file)};
    stop_before_work(run.comm, store::ResultFile::has_partial(plan.results) ||
                                   std::filesystem::exists(run.files.generator()));
    generate(run, plan);
    if (run.comm.is_root())
        say(run, fmt::format("results: {}\nanswer: {}\n", plan.results.string(),
                             job.generate.count > 0
                                 ? fmt::format("{} samples in {}", job.generate.count, plan.data_set.string())
                                 : fmt::format("{} samples scored", plan.scored->size())));
}

void check_generate(JobRun const& run) {
    GenerationPlan const plan = checked_plan(run);
    if (run.comm.is_root())
        fmt::print(
            "{}: fine; {} to train on {} samples of {} classes, {} to generate, {} to score, results in {}\n",
            run.request.job.string(), run.job.generator.network, plan.training.size(), plan.classes,
            run.job.generate.count, plan.scored ? plan.scored->size() : 0, plan.results.string());
}

} // namespace assay::app
