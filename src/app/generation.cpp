#include "app/generation.hpp"

#include "assay/base/error.hpp"
#include "assay/base/fault.hpp"
#include "assay/base/log.hpp"
#include "assay/base/random.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/data/dataset_writer.hpp"
#include "assay/model/checkpoint.hpp"
#include "assay/model/generator_networks.hpp"
#include "assay/model/train.hpp"
#include "assay/report/sheet.hpp"
#include "assay/store/array.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay::app {

namespace {

constexpr std::uint64_t kPiece = 1 << 14; // samples or labels handled at a time

using Network = std::shared_ptr<model::GeneratorNetwork>;

// Which label a generated sample gets: a function of its id
struct Labels {
    std::uint64_t seed = 0;
    std::int64_t classes = 1;
    std::vector<std::uint64_t>
        up_to; // samples of classes 0..c in the training set; empty: the classes in turn

    std::int64_t operator()(std::uint64_t id) const {
        if (up_to.empty())
            return static_cast<std::int64_t>(id % static_cast<std::uint64_t>(classes));
        std::uint64_t const drawn = Random(seed, "generated label", id).below(up_to.back());
        return std::ranges::upper_bound(up_to, drawn) - up_to.begin();
    }
};

// Local. Reads the training labels where they are asked for
Labels make_labels(JobRun const& run, GenerationPlan const& plan) {
    Labels labels{run.seed(), plan.classes, {}};
    if (run.job.generate.labels == "balanced")
        return labels;
    labels.up_to.resize(static_cast<std::size_t>(plan.classes), 0);
    for (std::uint64_t begin = 0; begin < plan.training.size(); begin += kPiece)
        for (std::int64_t label : plan.training.labels(begin, std::min(plan.training.size(), begin + kPiece)))
            ++labels.up_to[static_cast<std::size_t>(label)];
    std::partial_sum(labels.up_to.begin(), labels.up_to.end(), labels.up_to.begin());
    return labels;
}

// Calls visit(begin, end) for every batch of a shard of `size` samples
template <class Visit>
void for_each_batch(JobRun const& run, std::size_t size, Visit visit) {
    auto const batch = static_cast<std::size_t>(run.job.compute.batch_size);
    for (std::size_t begin = 0; begin < size; begin += batch)
        visit(begin, std::min(begin + batch, size));
}

pass::Source sampled_source(JobRun const& run, GenerationPlan const& plan, Network const& network,
                            Labels const& labels) {
    pass::Source source;
    source.name = "generated samples";
    source.size = static_cast<std::uint64_t>(run.job.generate.count);
    source.columns = {"/samples/value"};
    source.widths = {plan.training.info().sample_elements()};
    source.read = [labels](std::uint64_t begin, std::uint64_t end) {
        data::Samples samples; // nothing to read: the noise follows from the ids
        for (std::uint64_t id = begin; id < end; ++id) {
            samples.ids.push_back(id);
            samples.labels.push_back(labels(id));
        }
        return samples;
    };
    model::Sampling const sampling{run.seed(), run.job.generate.steps, run.job.generate.guidance};
    source.compute = [&run, network, sampling](data::Samples&& samples) {
        torch::NoGradGuard const no_grad;
        std::vector<float> values;
        for_each_batch(run, samples.ids.size(), [&](std::size_t begin, std::size_t end) {
            std::vector<std::uint64_t> const ids(samples.ids.data() + begin, samples.ids.data() + end);
            torch::Tensor const labels =
                torch::from_blob(samples.labels.data() + begin, {static_cast<std::int64_t>(end - begin)},
                                 torch::kInt64)
                    .to(run.placement.device);
            model::append(values, network->sample(labels, ids, sampling));
        });
        return values;
    };
    return source;
}

pass::Source scored_source(JobRun const& run, data::View const& view, Network const& network) {
    pass::Source source;
    source.name = "scored samples";
    source.size = view.size();
    source.columns = {"/scored/loss"};
    source.read = [&view](std::uint64_t begin, std::uint64_t end) { return view.read(begin, end); };
    source.compute = [&run, &view, network](data::Samples&& samples) {
        torch::NoGradGuard const no_grad;
        std::vector<float> values;
        for_each_batch(run, samples.ids.size(), [&](std::size_t begin, std::size_t end) {
            model::Batch const batch =
                model::to_batch(samples, view.info(), {}, begin, end, run.placement.device);
            model::append(values, network->score(batch, run.seed(), run.job.generate.score_draws));
        });
        return values;
    };
    return source;
}

std::vector<pass::Source> sources_of(JobRun const& run, GenerationPlan const& plan, Network const& network,
                                     Labels const& labels) {
    std::vector<pass::Source> sources;
    if (run.job.generate.count > 0)
        sources.push_back(sampled_source(run, plan, network, labels));
    if (plan.scored)
        sources.push_back(scored_source(run, *plan.scored, network));
    return sources;
}

store::ResultLayout layout_of(JobRun const& run, GenerationPlan const& plan, std::uint64_t shards) {
    auto const count = static_cast<std::uint64_t>(run.job.generate.count);
    store::ResultLayout layout;
    layout.shards = shards;
    auto const add = [&](std::string path, hid_t type, store::Shape shape, std::string description,
                         std::string units) {
        layout.columns.push_back(
            {std::move(path), type, std::move(shape), std::move(description), units, ""});
    };
    if (count > 0) {
        announce_samples(layout, "/samples", count);
        add("/samples/value", store::native_type<float>(), {count, plan.training.info().sample_elements()},
            "generated sample, values in [0, 1]", "1");
    }
    if (plan.scored) {
        announce_samples(layout, "/scored", plan.scored->size());
        add("/scored/loss", store::native_type<float>(), {plan.scored->size()},
            "loss under the trained generator, smaller = better explained", "nat or squared error");
    }
    add("/training/id", store::native_type<std::uint64_t>(), {plan.candidates.size()}, "sample id", "1");
    add("/training/used", store::native_type<std::uint8_t>(), {plan.candidates.size()},
        "1: the generator was trained on the sample", "1");
    return layout;
}

// Collective
void write_known(JobRun const& run, GenerationPlan const& plan, Labels const& labels,
                 store::ResultFile& file) {
    using Ids = std::vector<std::uint64_t>;
    comm::Communicator const& comm = run.comm;
    if (auto const count = static_cast<std::uint64_t>(run.job.generate.count); count > 0) {
        write_in_slices(comm, file, "/samples/id", count, [](std::uint64_t begin, std::uint64_t end) {
            Ids ids(end - begin);
            std::iota(ids.begin(), ids.end(), begin);
            return ids;
        });
        write_in_slices(comm, file, "/samples/label", count, [&](std::uint64_t begin, std::uint64_t end) {
            std::vector<std::int64_t> values;
            for (std::uint64_t id = begin; id < end; ++id)
                values.push_back(labels(id));
            return values;
        });
    }
    if (plan.scored)
        write_samples(comm, file, "/scored", *plan.scored);
    data::View const& all = plan.candidates;
    write_in_slices(comm, file, "/training/id", all.size(),
                    [&](std::uint64_t begin, std::uint64_t end) { return all.ids(begin, end); });
    write_in_slices(comm, file, "/training/used", all.size(), [&](std::uint64_t begin, std::uint64_t end) {
        std::vector<std::uint8_t> used;
        for (std::uint64_t row : all.rows().between(begin, end))
            used.push_back(plan.training.rows().contains(row));
        return used;
    });
}

// Root. The samples of an unfinished results file as a data set file
void write_data_set(JobRun const& run, GenerationPlan const& plan) {
    std::filesystem::path const from = store::partial_of(plan.results);
    auto const count = static_cast<std::uint64_t>(run.job.generate.count);
    data::DatasetInfo info = plan.training.info();
    info.size = count;
    info.has_labels = true;
    store::Handle const file = store::open_to_read(from);
    store::Handle const columns[] = {store::open_array(file, from, "/samples/value"),
                                     store::open_array(file, from, "/samples/label")};
    data::DatasetWriter writer(plan.data_set, info, /*overwrite=*/true);
    for (std::uint64_t begin = 0; begin < count; begin += kPiece) {
        std::uint64_t const size = std::min(kPiece, count - begin);
        std::vector<float> values(size * info.sample_elements());
        std::vector<std::int64_t> labels(size);
        store::read_rows(columns[0], begin, size, store::native_type<float>(), values.data());
        store::read_rows(columns[1], begin, size, store::native_type<std::int64_t>(), labels.data());
        writer.append(data::as_stored(values, info.type), labels);
    }
    if (auto const names = plan.training.dataset().classes(); !names.empty())
        writer.write_classes(names);
    writer.finish();
}

// Root. A grid to look at, where samples are images
void write_sheet(JobRun const& run, GenerationPlan const& plan) {
    auto const made = std::make_shared<data::Dataset const>(plan.data_set);
    if (!report::are_pictures(made->info()))
        return;
    constexpr std::size_t kMostClasses = 20, kColumns = 12;
    data::View const all(made, data::Rows::all(made->info().size));
    report::write_png(plan.sheet,
                      report::draw(report::sample_grid(run.job.generator.network + " samples by class", all,
                                                       kMostClasses, kColumns)),
                      /*overwrite=*/true);
}

// Root
void finish(JobRun const& run, GenerationPlan const& plan, pass::PassSummary const& summary) {
    if (run.job.generate.count > 0) {
        write_data_set(run, plan);
        write_sheet(run, plan);
    }
    fault_point("reduce");
    store::complete(plan.results, {}, {{"finished", utc_now()}},
                    {{"shards_resumed", static_cast<std::int64_t>(summary.resumed)}});
}

} // namespace

std::shared_ptr<model::GeneratorNetwork> make_generator(JobRun const& run, data::DatasetInfo const& info,
                                                        std::int64_t classes) {
    auto network = model::make_generator(run.job.generator, info, classes, run.seed());
    network->to(run.placement.device);
    network->eval();
    return network;
}

void train_or_load(JobRun const& run, data::View const& training, std::string const& key,
                   model::GeneratorNetwork& network) {
    if (!run.job.generator.file.empty()) {
        model::load_trained(run.comm, run.job.generator.file, network, run.job.generator.ema,
                            run.placement.device);
        return;
    }
    model::TrainingRun const how{.options = run.job.generator,
                                 .normalisation = {},
                                 .seed = run.seed(),
                                 .job_hash = key,
                                 .checkpoint = run.files.generator(),
                                 .resume = run.request.resume,
                                 .section = "generator"};
    model::train(run.comm, network, {{training}}, how, run.placement.device);
}

void check_generation(JobRun const& run, GenerationPlan const& plan) {
    comm::agree(run.comm, [&] {
        if (!plan.training.info().has_labels)
            fail(Exit::data,
                 "{}: no /labels (the generator is conditioned on them). Add int64 labels, one per sample",
                 plan.training.dataset().path().string());
        make_generator(run, plan.training.info(), plan.classes);
    });
}

void generate(JobRun const& run, GenerationPlan const& plan) {
    auto const [network, labels] = comm::agree(run.comm, [&] {
        return std::pair(make_generator(run, plan.training.info(), plan.classes), make_labels(run, plan));
    });
    train_or_load(run, plan.training, training_key(run.job, plan.inputs), *network);
    std::vector<pass::Source> const sources = sources_of(run, plan, network, labels);
    auto const shards = pass::ShardPlan(sources, run.shard_size()).size();
    pass::PassSummary const summary = compute_and_close(
        open_results(
            run, plan.results, layout_of(run, plan, shards), plan.inputs,
            [&, &labels = labels](store::ResultFile& file) { write_known(run, plan, labels, file); }),
        [&](store::ResultFile& file) {
            return pass::run_pass(run.comm, file, sources, {run.shard_size(), run.job.output.commit_seconds});
        });
    comm::agree(run.comm, [&] {
        if (run.comm.is_root())
            finish(run, plan, summary);
    });
}

} // namespace assay::app
