#include "app/feature_pass.hpp"

#include "assay/base/error.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/model/batch.hpp"
#include "assay/model/checkpoint.hpp"
#include "assay/model/pca.hpp"
#include "assay/model/torchscript.hpp"

#include <cmath>

namespace assay::app {

namespace {

// A space that a pass computes: columns GROUP/training, GROUP/generated, GROUP/held_out
struct ComputedSpace {
    std::string group;
    model::FeatureFunction of;
    std::uint64_t width = 0;
};

model::Normalisation normalisation_of(job::Features const& features) {
    return {features.mean, features.deviation};
}

std::vector<std::pair<char const*, data::View const*>> parts_of(Sides const& sides) {
    std::vector<std::pair<char const*, data::View const*>> parts{{"training", &sides.training},
                                                                 {"generated", &sides.generated}};
    if (sides.held_out)
        parts.emplace_back("held_out", &*sides.held_out);
    return parts;
}

// Local. The first samples' features give the width
std::uint64_t width_of(model::FeatureFunction const& function, JobRun const& run, data::View const& view) {
    torch::NoGradGuard const no_grad;
    std::uint64_t const trial = std::min<std::uint64_t>(2, view.size());
    model::Batch const batch = model::to_batch(
        view.read(0, trial), view.info(), normalisation_of(run.job.features), 0, trial, run.placement.device);
    return static_cast<std::uint64_t>(function(batch.x).size(1));
}

// Collective
ComputedSpace model_space(JobRun const& run, Sides const& sides, std::string const& group,
                          std::string const& path) {
    std::string const bytes = model::read_and_broadcast(run.comm, path);
    return comm::agree(run.comm, [&] {
        ComputedSpace space{group,
                            model::load_features(bytes, path, run.job.features.method, run.placement.device)};
        space.width = width_of(space.of, run, sides.training);
        return space;
    });
}

// Collective. Fits where `fit`, else only checks
ComputedSpace pca_space(JobRun const& run, Sides const& sides, bool fit) {
    ComputedSpace space{kFirstSpace, {}, static_cast<std::uint64_t>(run.job.features.components)};
    if (fit)
        space.of = model::fit_pca(run.comm, sides.training, run.job.features.components, run.shard_size(),
                                  normalisation_of(run.job.features), run.placement.device);
    return space;
}

// Collective. The spaces that need a pass
std::vector<ComputedSpace> computed_spaces(JobRun const& run, Sides const& sides, bool fit) {
    job::Features const& features = run.job.features;
    std::vector<ComputedSpace> spaces;
    if (features.space == "pca")
        spaces.push_back(pca_space(run, sides, fit));
    if (features.space == "model")
        spaces.push_back(model_space(run, sides, kFirstSpace, features.model));
    if (features.second == "model")
        spaces.push_back(model_space(run, sides, kSecondSpace, features.second_model));
    return spaces;
}

pass::Source source_of(JobRun const& run, std::string const& part, data::View const& view,
                       std::vector<ComputedSpace> const& spaces) {
    pass::Source source;
    source.name = part + " samples";
    source.size = view.size();
    for (ComputedSpace const& space : spaces) {
        source.columns.push_back(space.group + "/" + part);
        source.widths.push_back(space.width);
    }
    source.read = [&view](std::uint64_t begin, std::uint64_t end) { return view.read(begin, end); };
    source.compute = [&run, &view, spaces, part](data::Samples&& samples) {
        torch::NoGradGuard const no_grad;
        auto const batch_size = static_cast<std::size_t>(run.job.compute.batch_size);
        std::vector<float> values;
        for (ComputedSpace const& space : spaces)
            for (std::size_t begin = 0; begin < samples.ids.size(); begin += batch_size) {
                std::size_t const end = std::min(begin + batch_size, samples.ids.size());
                model::Batch const batch =
                    model::to_batch(samples, view.info(), normalisation_of(run.job.features), begin, end,
                                    run.placement.device);
                torch::Tensor const features = space.of(batch.x).to(torch::kCPU).contiguous();
                float const* const from = features.data_ptr<float>();
                for (std::int64_t i = 0; i < features.numel(); ++i)
                    if (!std::isfinite(from[i]))
                        fail(Exit::data,
                             "{}: features of {} sample {} hold {} (not finite). Check the model on that "
                             "sample",
                             space.group, part,
                             samples.ids[begin + static_cast<std::size_t>(i) / space.width], from[i]);
                values.insert(values.end(), from, from + features.numel());
            }
        return values;
    };
    return source;
}

store::ResultLayout layout_of(std::vector<pass::Source> const& sources, std::uint64_t shard_size) {
    store::ResultLayout layout;
    layout.shards = pass::ShardPlan(sources, shard_size).size();
    for (pass::Source const& source : sources)
        for (std::size_t c = 0; c < source.columns.size(); ++c)
            layout.columns.push_back({source.columns[c],
                                      store::native_type<float>(),
                                      {source.size, source.width(c)},
                                      "features of " + source.name,
                                      "1",
                                      ""});
    return layout;
}

// Root. Is the features file there, and of this very run?
bool has_features(JobRun const& run, Inputs const& inputs) {
    if (!run.request.resume || !std::filesystem::exists(run.files.features()))
        return false;
    check_same_inputs(run.files.features(), run.job, inputs);
    return true;
}

} // namespace

bool is_computed(std::string const& space) {
    return space == "pca" || space == "model";
}

void check_computed(JobRun const& run, Sides const& sides) {
    computed_spaces(run, sides, /*fit=*/false);
}

void compute_features(JobRun const& run, Sides const& sides, Inputs const& inputs) {
    if (comm::broadcast(run.comm, std::int64_t{comm::agree(run.comm, [&] {
                            return run.comm.is_root() && has_features(run, inputs);
                        })}) != 0)
        return;
    std::vector<ComputedSpace> const spaces = computed_spaces(run, sides, /*fit=*/true);
    std::vector<pass::Source> sources;
    for (auto const& [part, view] : parts_of(sides))
        sources.push_back(source_of(run, part, *view, spaces));
    compute_and_close(
        open_results(run, run.files.features(), layout_of(sources, run.shard_size()), inputs,
                     [](store::ResultFile&) {}),
        [&](store::ResultFile& file) {
            return pass::run_pass(run.comm, file, sources, {run.shard_size(), run.job.output.commit_seconds});
        });
    comm::agree(run.comm, [&] {
        if (run.comm.is_root())
            store::complete(run.files.features(), {}, {{"finished", utc_now()}}, {});
    });
}

} // namespace assay::app
