#include "app/valuation_subject.hpp"

#include "app/valuation_memory.hpp"
#include "app/valuation_searches.hpp"

#include "assay/base/error.hpp"
#include "assay/data/selection.hpp"

#include <algorithm>
#include <numeric>

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

// Collective
void check_counts(JobRun const& run, Sides const& sides) {
    auto const check = [&](char const* key, std::int64_t value) {
        if (static_cast<std::uint64_t>(value) > sides.training.size())
            throw comm::AgreedError(Exit::usage,
                                    fmt::format("valuation.{}={} ({} has only {} training samples). Lower it",
                                                key, value, sides.training.dataset().path().string(),
                                                sides.training.size()));
    };
    check("k", run.job.valuation.k);
    if (run.job.valuation.search == "ivf")
        check("lists", run.job.valuation.lists);
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

// Collective. Number of retrained models on root, 0 elsewhere. Samples that this job will make are numbered
std::uint64_t check_retrainings(JobRun const& run, Sides const& sides, std::uint64_t generated) {
    return comm::agree(run.comm, [&]() -> std::uint64_t {
        if (run.job.valuation.lds.empty() || !run.comm.is_root())
            return 0;
        std::vector<std::uint64_t> generated_ids = sides.generated.ids(0, sides.generated.size());
        if (generated_ids.empty()) {
            generated_ids.resize(generated);
            std::iota(generated_ids.begin(), generated_ids.end(), std::uint64_t{0});
        }
        valuation::SubsetModels const models(run.job.valuation.lds,
                                             sides.training.ids(0, sides.training.size()), generated_ids);
        models.check_outputs();
        return models.subsets();
    });
}

// Collective. `generated` samples there are, or will be
ValuationSize check_all(JobRun const& run, Sides const& sides, SampleFacts const& facts,
                        std::uint64_t generated) {
    check_counts(run, sides);
    check_facts(run.comm, sides, facts);
    ValuationSize size;
    size.widths = check_feature_spaces(run, sides);
    size.subsets = check_retrainings(run, sides, generated);
    size.extent = comm::agree(run.comm, [&] { return extent_of(sides, facts, run.job.valuation.k); });
    size.extent.generated = generated;
    size.held_out = sides.held_out ? sides.held_out->size() : 0;
    size.stored_width = sides.training.info().sample_elements();
    size.pixel_baseline = has_pixel_baseline(run, sides);
    return size;
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
    subject->facts = comm::agree(run.comm, [&] { return open_facts(run.job, subject->sides); });
    subject->size = check_all(run, subject->sides, subject->facts, subject->sides.generated.size());
    subject->inputs = hash_inputs(run, generated);
    return subject;
}

ValuationSize check_before_generation(JobRun const& run, Files const& files, data::View const& training) {
    data::View const none(files.training, data::Rows::all(0)); // of the shape that they will have
    Sides const sides{training, none,
                      files.held_out
                          ? std::optional(view_of(run, files.held_out, run.job.valuation_data.held_out_count,
                                                  "dataset.held_out_count"))
                          : std::nullopt};
    SampleFacts const facts = comm::agree(run.comm, [&] { return open_facts(run.job, sides); });
    return check_all(run, sides, facts, static_cast<std::uint64_t>(run.job.generate.count));
}

} // namespace assay::app
