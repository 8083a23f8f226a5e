#include "app/feature_pass.hpp"

#include "assay/base/error.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/model/batch.hpp"
#include "assay/model/checkpoint.hpp"
#include "assay/model/pca.hpp"
#include "assay/model/torchscript.hpp"

#include <algorithm>
#include <cmath>

namespace assay::app {

namespace {

// A space that a pass computes: columns GROUP/training, GROUP/generated, GROUP/held_out
struct ComputedSpace {
    std::string group;
    model::FeatureFunction of; // principal components: none yet, components_in() has them
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

// Collective
ComputedSpace computed_space(JobRun const& run, Sides const& sides, bool second) {
    job::Features const& features = run.job.features;
    if (second)
        return model_space(run, sides, kSecondSpace, features.second_model);
    if (features.space == "model")
        return model_space(run, sides, kFirstSpace, features.model);
    comm::agree(run.comm, [&] { model::check_components(sides.training, features.components); });
    return {kFirstSpace, {}, static_cast<std::uint64_t>(features.components)};
}

// Collective. The spaces that need a pass
std::vector<ComputedSpace> computed_spaces(JobRun const& run, Sides const& sides) {
    std::vector<ComputedSpace> spaces;
    if (is_computed(run.job.features.space))
        spaces.push_back(computed_space(run, sides, false));
    if (is_computed(run.job.features.second))
        spaces.push_back(computed_space(run, sides, true));
    return spaces;
}

// Collective. Those that an earlier run has left, or fitted now: on another machine they may be others, and
// coordinates along both cannot be compared
model::Pca components_in(JobRun const& run, Sides const& sides, store::ResultFile& file) {
    auto const width = static_cast<std::int64_t>(sides.training.info().sample_elements());
    std::optional<std::vector<double>> const mean = file.kept(kPcaMean), basis = file.kept(kPcaBasis);
    if (mean && basis)
        return {torch::tensor(*mean, torch::kFloat64),
                torch::tensor(*basis, torch::kFloat64).view({width, -1})};
    model::Pca const pca =
        model::fit_pca(run.comm, sides.training, run.job.features.components, run.shard_size(),
                       normalisation_of(run.job.features), run.placement.device);
    auto const keep = [&](char const* column, torch::Tensor const& tensor) {
        torch::Tensor const host = tensor.to(torch::kCPU).contiguous();
        file.keep(column, {host.data_ptr<double>(), static_cast<std::size_t>(host.numel())});
    };
    keep(kPcaMean, pca.mean);
    keep(kPcaBasis, pca.basis);
    return pca;
}

// What the search needs of a sample's features
void require_comparable(std::span<float const> row, bool direction, std::string const& where) {
    for (float const value : row)
        if (!std::isfinite(value))
            fail(Exit::data, "{} hold {} (not finite). Check the model on that sample", where, value);
    if (direction && std::ranges::all_of(row, [](float value) { return value == 0; }))
        fail(Exit::data,
             "{} are all zeros (the cosine, and features.normalise=\"l2\", need a direction). Drop the "
             "sample, "
             "or use neither",
             where);
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
                std::span const rows(features.data_ptr<float>(), static_cast<std::size_t>(features.numel()));
                for (std::size_t i = begin; i < end; ++i)
                    require_comparable(
                        rows.subspan((i - begin) * space.width, space.width),
                        row_check(run.job) == valuation::RowCheck::direction,
                        fmt::format("{}: features of {} sample {}", space.group, part, samples.ids[i]));
                values.insert(values.end(), rows.begin(), rows.end());
            }
        return values;
    };
    return source;
}

std::vector<pass::Source> sources_of(JobRun const& run, Sides const& sides,
                                     std::vector<ComputedSpace> const& spaces) {
    std::vector<pass::Source> sources;
    for (auto const& [part, view] : parts_of(sides))
        sources.push_back(source_of(run, part, *view, spaces));
    return sources;
}

store::ResultLayout layout_of(JobRun const& run, Sides const& sides,
                              std::vector<ComputedSpace> const& spaces) {
    std::vector<pass::Source> const sources = sources_of(run, sides, spaces);
    store::ResultLayout layout;
    layout.shards = pass::ShardPlan(sources, run.shard_size()).size();
    for (pass::Source const& source : sources)
        for (std::size_t c = 0; c < source.columns.size(); ++c)
            layout.columns.push_back({source.columns[c],
                                      store::native_type<float>(),
                                      {source.size, source.width(c)},
                                      "features of " + source.name,
                                      "1",
                                      ""});
    if (run.job.features.space == "pca") {
        std::uint64_t const width = sides.training.info().sample_elements();
        hid_t const number = store::native_type<double>();
        layout.columns.push_back({kPcaMean, number, {width}, "mean of the training samples", "1", ""});
        layout.columns.push_back({kPcaBasis,
                                  number,
                                  {width, static_cast<std::uint64_t>(run.job.features.components)},
                                  "principal components, a column each",
                                  "1",
                                  ""});
    }
    return layout;
}

} // namespace

bool is_computed(std::string const& space) {
    return space == "pca" || space == "model";
}

std::uint64_t check_computed(JobRun const& run, Sides const& sides, bool second) {
    return computed_space(run, sides, second).width;
}

void compute_features(JobRun const& run, Sides const& sides, Inputs const& inputs) {
    if (is_finished(run, run.files.features(), inputs))
        return;
    std::vector<ComputedSpace> spaces = computed_spaces(run, sides);
    compute_and_close(open_results(run, run.files.features(), layout_of(run, sides, spaces), inputs,
                                   [](store::ResultFile&) {}),
                      [&](store::ResultFile& file) {
                          for (ComputedSpace& space : spaces)
                              if (!space.of)
                                  space.of = components_in(run, sides, file);
                          return pass::run_pass(run.comm, file, sources_of(run, sides, spaces),
                                                {run.shard_size(), run.job.output.commit_seconds});
                      });
    comm::agree(run.comm, [&] {
        if (run.comm.is_root())
            store::complete(run.files.features(), {}, {{"finished", utc_now()}}, {});
    });
}

} // namespace assay::app
