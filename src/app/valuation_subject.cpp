#include "app/valuation_subject.hpp"

#include "assay/base/error.hpp"
#include "assay/data/selection.hpp"

#include <algorithm>

#include <unistd.h>

namespace assay::app {

namespace {

// Collective
Sides sides_of(JobRun const& run, Files const& files) {
    job::ValuationData const& wanted = run.job.valuation_data;
    Sides sides{view_of(run, files.training, wanted.training_count, "dataset.training_count"),
                view_of(run, files.generated, wanted.generated_count, "dataset.generated_count"),
                {}};
    if (files.held_out)
        sides.held_out = view_of(run, files.held_out, wanted.held_out_count, "dataset.held_out_count");
    return sides;
}

// Collective. Error(usage) where there are fewer rows than share the credit
void check_k(JobRun const& run, Sides const& sides) {
    if (static_cast<std::uint64_t>(run.job.valuation.k) > sides.training.size())
        throw comm::AgreedError(Exit::usage,
                                fmt::format("valuation.k={} ({} has only {} training samples). Lower it",
                                            run.job.valuation.k, sides.training.dataset().path().string(),
                                            sides.training.size()));
}

// Collective
Inputs hash_inputs(JobRun const& run, std::filesystem::path const& generated) {
    job::Job const& job = run.job;
    Inputs inputs{hash_input(run.comm, "training_sha256", "training file", job.valuation_data.training),
                  hash_input(run.comm, "generated_sha256", "generated file", generated),
                  hash_input(run.comm, "held_out_sha256", "held-out file", job.valuation_data.held_out),
                  hash_input(run.comm, "lds_sha256", "file of retraining outputs", job.valuation.lds)};
    add_feature_inputs(run, inputs);
    return inputs;
}

// GiB that the hungriest rank needs at most, beside libraries: its slice of the largest space with the
// search's buffers, or, on root, the reduction
double memory_needed(JobRun const& run, Sides const& sides, std::uint64_t width) {
    job::Job const& job = run.job;
    auto const rows = static_cast<double>(sides.training.size());
    double const value = job.features.storage == "float32" ? 4 : 2;
    double const slice = rows / run.comm.size() * (static_cast<double>(width) * value + 8);
    constexpr double kBuffers = 200e6;
    double const reduction =
        rows * (160 + (job.valuation.lds.empty() ? 0 : 8)) + static_cast<double>(sides.generated.size()) * 64;
    return (std::max(slice + kBuffers, reduction) + kBuffers) / (1 << 30);
}

} // namespace

Files open_files(JobRun const& run, std::filesystem::path const& generated) {
    job::ValuationData const& wanted = run.job.valuation_data;
    return comm::agree(run.comm, [&] {
        auto const open = [](std::filesystem::path const& path) {
            return path.empty() ? nullptr : std::make_shared<data::Dataset const>(path);
        };
        Files files{open(wanted.training), open(generated), open(wanted.held_out)};
        for (auto const& file : {files.generated, files.held_out})
            if (file)
                data::check_alike(*file, *files.training);
        if (files.held_out && std::filesystem::equivalent(wanted.training, wanted.held_out))
            fail(Exit::usage,
                 "dataset.held_out=\"{}\" (is the training file: its samples are no held-out ones). Name "
                 "another file, or remove it",
                 wanted.held_out);
        return files;
    });
}

data::View view_of(JobRun const& run, std::shared_ptr<data::Dataset const> const& file, std::int64_t count,
                   char const* key) {
    return {file, data::draw(run.comm, *file, data::Rows::all(file->info().size), count, key, run.seed())};
}

void check_files(JobRun const& run, Files const& files) {
    for (auto const& file : {files.training, files.generated, files.held_out})
        if (file)
            check_samples(run.comm, *file);
}

std::unique_ptr<Subject const> make_subject(JobRun const& run, Files const& files,
                                            std::filesystem::path const& generated) {
    auto subject = std::make_unique<Subject>(); // facts refer to sides, which must not move
    check_files(run, files);
    data::count_classes(run.comm, run.job.valuation_data.classes,
                        std::vector{files.training, files.generated});
    subject->sides = sides_of(run, files);
    check_k(run, subject->sides);
    subject->facts = comm::agree(run.comm, [&] { return open_facts(run.job, subject->sides); });
    check_facts(run.comm, subject->sides, subject->facts);
    subject->inputs = hash_inputs(run, generated);
    return subject;
}

void check_memory(JobRun const& run, Sides const& sides, std::uint64_t width) {
    double const needed = memory_needed(run, sides, width);
    double const host =
        static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 30);
    comm::agree(run.comm, [&] {
        double const may =
            run.job.valuation.memory > 0 ? run.job.valuation.memory : host / run.placement.ranks_on_host;
        if (needed > may)
            fail(Exit::usage,
                 "{:.1f} GiB are needed per rank for {} x {} training features ({:.1f} GiB may be used: {}). "
                 "Use "
                 "more ranks on more hosts, features.storage=\"float16\", or fewer features.components",
                 needed, sides.training.size(), width, may,
                 run.job.valuation.memory > 0 ? "valuation.memory" : "the rank's share of its host");
    });
}

} // namespace assay::app
