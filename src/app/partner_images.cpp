#include "app/partner_images.hpp"

#include "app/generation.hpp"
#include "app/partner_checks.hpp"

#include "assay/base/error.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/data/dataset_writer.hpp"
#include "assay/model/checkpoint.hpp"
#include "assay/model/generator_networks.hpp"
#include "assay/model/redrawer.hpp"
#include "assay/model/torchscript.hpp"
#include "assay/store/array.hpp"

#include <algorithm>

namespace assay::app {

namespace {

using Redrawer = std::shared_ptr<model::Redrawer>;

bool is_built_in(JobRun const& run) {
    return run.job.generator.network != "torchscript";
}

model::Redraw how_to(JobRun const& run, char const* purpose) {
    return {.strength = run.job.usage.redraw_strength, .seed = run.seed(), .purpose = purpose};
}

// Collective. A user's generator, tried on two samples
Redrawer load_redrawer(JobRun const& run, data::Split const& split, torch::Device device) {
    std::string const& path = run.job.generator.file;
    std::string const bytes = model::read_and_broadcast(run.comm, path);
    return comm::agree(run.comm, [&] {
        Redrawer redrawer = model::load_redrawer(bytes, path, device);
        std::uint64_t const trial = std::min<std::uint64_t>(2, split.suspects.size());
        model::Batch const batch =
            model::to_batch(split.suspects.read(0, trial), split.suspects.info(), {}, 0, trial, device);
        auto const redrawn = [&] {
            return redrawer->redraw_images(batch.x, batch.y, batch.ids, how_to(run, "trial"));
        };
        if (torch::Tensor const once = redrawn(); !torch::equal(redrawn(), once))
            fail(Exit::data,
                 "{}: forward(x, noise, label) differs from call to call on the same input (a job must be "
                 "repeatable). Draw no random numbers in it, use `noise`",
                 path);
        return redrawer;
    });
}

// Collective. Trained, or loaded
Redrawer make_redrawer(JobRun const& run, data::Split const& split, Inputs const& inputs) {
    if (!is_built_in(run))
        return load_redrawer(run, split, run.placement.device);
    auto const network =
        comm::agree(run.comm, [&] { return make_generator(run, split.suspects.info(), split.classes); });
    train_or_load(run, split.suspects, training_key(run.job, inputs), *network);
    return std::dynamic_pointer_cast<model::Redrawer>(network); // job::check() saw to it
}

pass::Source source_of(JobRun const& run, data::View const& suspects, Redrawer const& redrawer) {
    pass::Source source;
    source.name = "partners";
    source.size = suspects.size();
    source.columns.assign(kPartnerImages.begin(), kPartnerImages.end());
    source.widths.assign(kPartnerImages.size(), suspects.info().sample_elements());
    source.read = [&suspects](std::uint64_t begin, std::uint64_t end) { return suspects.read(begin, end); };
    source.compute = [&run, &suspects, redrawer](data::Samples&& samples) {
        torch::NoGradGuard const no_grad;
        std::vector<float> once, twice;
        auto const batch_size = static_cast<std::size_t>(run.job.compute.batch_size);
        for (std::size_t begin = 0; begin < samples.ids.size(); begin += batch_size) {
            std::size_t const end = std::min(begin + batch_size, samples.ids.size());
            model::Batch const batch =
                model::to_batch(samples, suspects.info(), {}, begin, end, run.placement.device);
            torch::Tensor const first =
                redrawer->redraw_images(batch.x, batch.y, batch.ids, how_to(run, "partner"));
            model::append(once, first);
            model::append(twice, redrawer->redraw_images(first, batch.y, batch.ids,
                                                         how_to(run, "partner of a partner")));
        }
        once.insert(once.end(), twice.begin(), twice.end());
        return once;
    };
    return source;
}

store::ResultLayout layout_of(data::View const& suspects, std::uint64_t shards) {
    store::ResultLayout layout;
    layout.shards = shards;
    announce_samples(layout, "/samples", suspects.size());
    for (char const* column : kPartnerImages)
        layout.columns.push_back({column,
                                  store::native_type<float>(),
                                  {suspects.size(), suspects.info().sample_elements()},
                                  "suspect i redrawn by the generator; of the second, that redrawn again",
                                  "1",
                                  ""});
    return layout;
}

} // namespace

std::filesystem::path partner_file(JobRun const& run) {
    return run.job.dataset.partners.empty() ? run.files.partners()
                                            : std::filesystem::path(run.job.dataset.partners);
}

void check_partner_images(JobRun const& run, data::Split const& split, Inputs const& inputs,
                          torch::Device device) {
    data::Slice const mine = data::my_slice(run.comm, split.suspects.size());
    bool const given = !run.job.dataset.partners.empty();
    std::shared_ptr<model::GeneratorNetwork> network;
    comm::agree(run.comm, [&] {
        if (given)
            return check_partner_file(
                partner_file(run), split.suspects, mine,
                std::ranges::find(inputs, "suspects_sha256", &Input::attribute)->sha256);
        check_unit_interval(split.suspects, mine);
        if (is_built_in(run))
            network = make_generator(run, split.suspects.info(), split.classes);
        else if (split.suspects.info().sample_shape.size() != 3)
            fail(Exit::usage,
                 "generator.network=\"torchscript\" (redraws images [C, H, W]; samples are [{}]). Bring "
                 "partners in dataset.partners",
                 fmt::join(split.suspects.info().sample_shape, ", "));
    });
    if (!given && !is_built_in(run))
        load_redrawer(run, split, device);
    else if (!given && !run.job.generator.file.empty())
        model::load_trained(run.comm, run.job.generator.file, *network, run.job.generator.ema, device);
}

void make_partner_images(JobRun const& run, data::Split const& split, Inputs const& inputs) {
    if (!run.job.dataset.partners.empty() || is_finished(run, run.files.partners(), inputs))
        return;
    Redrawer const redrawer = make_redrawer(run, split, inputs);
    std::vector<pass::Source> const sources{source_of(run, split.suspects, redrawer)};
    auto const shards = pass::ShardPlan(sources, run.shard_size()).size();
    compute_and_close(
        open_results(
            run, run.files.partners(), layout_of(split.suspects, shards), inputs,
            [&](store::ResultFile& file) { write_samples(run.comm, file, "/samples", split.suspects); }),
        [&](store::ResultFile& file) {
            return pass::run_pass(run.comm, file, sources, {run.shard_size(), run.job.output.commit_seconds});
        });
    comm::agree(run.comm, [&] {
        if (run.comm.is_root())
            store::complete(run.files.partners(), {}, {{"finished", utc_now()}}, {});
    });
}

void append_partners(data::Samples& samples, data::View const& suspects, store::Handle const& file,
                     std::filesystem::path const& path, std::uint64_t begin, std::uint64_t end) {
    std::size_t const count = end - begin;
    for (char const* column : kPartnerImages) {
        std::vector<float> values(count * suspects.info().sample_elements());
        store::read_rows(store::open_array(file, path, column), begin, count, store::native_type<float>(),
                         values.data());
        std::vector<std::byte> const stored = data::as_stored(values, suspects.info().type);
        samples.values.insert(samples.values.end(), stored.begin(), stored.end());
        for (std::size_t i = 0; i < count; ++i) {
            samples.ids.push_back(samples.ids[i]);
            samples.labels.push_back(samples.labels[i]);
        }
    }
}

} // namespace assay::app
