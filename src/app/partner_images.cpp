#include "app/partner_images.hpp"

#include "app/generation.hpp"

#include "assay/base/error.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/data/dataset_writer.hpp"
#include "assay/model/diffusion.hpp"
#include "assay/model/generator_networks.hpp"
#include "assay/store/array.hpp"

namespace assay::app {

namespace {

using Network = std::shared_ptr<model::GeneratorNetwork>;

Network make_network(JobRun const& run, data::Split const& split) {
    return make_generator(run, split.suspects.info(), split.classes);
}

pass::Source source_of(JobRun const& run, data::View const& suspects, Network const& network) {
    pass::Source source;
    source.name = "partners";
    source.size = suspects.size();
    source.columns.assign(kPartnerImages.begin(), kPartnerImages.end());
    source.widths.assign(kPartnerImages.size(), suspects.info().sample_elements());
    source.read = [&suspects](std::uint64_t begin, std::uint64_t end) { return suspects.read(begin, end); };
    source.compute = [&run, &suspects, network](data::Samples&& samples) {
        auto const diffusion = std::dynamic_pointer_cast<model::Diffusion>(network); // job::check() saw to it
        torch::NoGradGuard const no_grad;
        std::vector<float> once, twice;
        auto const batch_size = static_cast<std::size_t>(run.job.compute.batch_size);
        for (std::size_t begin = 0; begin < samples.ids.size(); begin += batch_size) {
            std::size_t const end = std::min(begin + batch_size, samples.ids.size());
            model::Batch const batch =
                model::to_batch(samples, suspects.info(), {}, begin, end, run.placement.device);
            auto const redrawn = [&](torch::Tensor const& z, char const* purpose) {
                return model::redraw(*diffusion, z, batch.y, batch.ids, run.seed(), purpose,
                                     {.strength = run.job.usage.redraw_strength});
            };
            torch::Tensor const first = redrawn(diffusion->encode(batch.x), "partner");
            model::append(once, (first + 1) / 2);
            model::append(twice, (redrawn(first, "partner of a partner") + 1) / 2);
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

void check_partner_images(JobRun const& run, data::Split const& split) {
    comm::agree(run.comm, [&] { make_network(run, split); });
}

void make_partner_images(JobRun const& run, data::Split const& split, Inputs const& inputs) {
    if (is_finished(run, run.files.partners(), inputs))
        return;
    Network const network = comm::agree(run.comm, [&] { return make_network(run, split); });
    train_or_load(run, split.suspects, training_key(run.job, inputs), *network);
    std::vector<pass::Source> const sources{source_of(run, split.suspects, network)};
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

data::Samples read_with_partners(data::View const& suspects, store::Handle const& file,
                                 std::filesystem::path const& path, std::uint64_t begin, std::uint64_t end) {
    data::Samples samples = suspects.read(begin, end);
    std::size_t const count = samples.ids.size();
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
    return samples;
}

} // namespace assay::app
