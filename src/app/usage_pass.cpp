#include "app/usage_pass.hpp"

#include "app/job_run.hpp"

#include "assay/base/error.hpp"
#include "assay/comm/agree.hpp"
#include "assay/data/choose.hpp"
#include "assay/usage/autoregressive_signals.hpp"
#include "assay/usage/classifier_signals.hpp"
#include "assay/usage/columns.hpp"
#include "assay/usage/diffusion_signals.hpp"
#include "assay/usage/partners.hpp"

#include <cmath>
#include <functional>

namespace assay::app {

namespace {

//! Signals of a batch on the target: [K, B] float32 on the CPU.
using BatchSignals = std::function<torch::Tensor(model::Batch const&)>;

BatchSignals batch_signals(Target const& target, usage::SignalPlan const& plan) {
    if (auto const* found = std::get_if<std::shared_ptr<model::Autoregressive>>(&target.model))
        return [model = *found, plan](model::Batch const& batch) {
            return usage::autoregressive_signals(*model, batch, plan.signals);
        };
    if (auto const* found = std::get_if<std::shared_ptr<model::Diffusion>>(&target.model))
        return [model = *found, plan](model::Batch const& batch) {
            return usage::diffusion_signals(*model, batch, plan);
        };
    auto const& classifier = std::get<std::shared_ptr<model::Classifier>>(target.model);
    return [=](model::Batch const& batch) { return usage::classifier_signals(*classifier, batch, plan); };
}

// Computes signals of samples in memory; copies share the target.
struct SignalComputer {
    BatchSignals signals_of;
    std::string origin;
    data::DatasetInfo info;
    model::Normalisation normalisation;
    usage::SignalPlan plan;
    std::size_t batch_size;
    torch::Device device;

    // Appends [K x n] values, signal after signal
    void append(data::Samples const& samples, std::vector<float>& values) const {
        std::size_t const count = samples.ids.size(), first = values.size();
        values.resize(first + plan.signals.size() * count);
        for (std::size_t begin = 0; begin < count; begin += batch_size) {
            std::size_t const end = std::min(begin + batch_size, count);
            model::Batch const batch = model::to_batch(samples, info, normalisation, begin, end, device);
            torch::Tensor const signals = signals_of(batch);
            float const* from = signals.data_ptr<float>();
            for (std::size_t k = 0; k < plan.signals.size(); ++k)
                for (std::size_t i = begin; i < end; ++i, ++from) {
                    if (!std::isfinite(*from))
                        fail(Exit::data,
                             "{}: {} of sample {} is {} (not finite). Check the model on that sample", origin,
                             plan.signals[k].name, samples.ids[i], *from);
                    values[first + k * count + i] = *from;
                }
        }
    }
};

void add_columns(std::vector<std::string>& columns, char const* group,
                 std::vector<usage::SignalInfo> const& signals) {
    for (usage::SignalInfo const& signal : signals)
        columns.push_back(std::string(group) + "/" + signal.name);
}

pass::Source plain_source(std::string name, data::View const& view, char const* group,
                          SignalComputer const& computer) {
    pass::Source source;
    source.name = std::move(name);
    source.size = view.size();
    add_columns(source.columns, group, computer.plan.signals);
    source.read = [&view](std::uint64_t begin, std::uint64_t end) { return view.read(begin, end); };
    source.compute = [computer](data::Samples&& samples) {
        std::vector<float> values;
        computer.append(samples, values);
        return values;
    };
    return source;
}

pass::Source partnered_source(data::View const& suspects, SignalComputer const& computer) {
    pass::Source source;
    source.name = "suspects";
    source.size = suspects.size();
    add_columns(source.columns, usage::kSuspectSignals, computer.plan.signals);
    for (char const* group : usage::kRungSignals)
        add_columns(source.columns, group, computer.plan.signals);
    std::uint64_t const seed = computer.plan.seed;
    source.read = [&suspects, neighbourhoods = usage::Neighbourhoods(suspects, seed)](
                      std::uint64_t begin, std::uint64_t end) mutable {
        return usage::read_for_mixing(suspects, neighbourhoods, begin, end);
    };
    source.compute = [computer, seed](data::Samples&& read) {
        std::vector<float> values;
        for (data::Samples const& rung : usage::make_rungs(read, computer.info, seed))
            computer.append(rung, values);
        return values;
    };
    return source;
}

void announce_signals(store::ResultLayout& layout, char const* group, std::string const& whose,
                      std::uint64_t size, std::vector<usage::SignalInfo> const& signals) {
    for (usage::SignalInfo const& signal : signals)
        layout.columns.push_back({std::string(group) + "/" + signal.name,
                                  store::native_type<float>(),
                                  {size},
                                  fmt::format("{}, of {}", signal.description, whose),
                                  signal.units,
                                  "member"});
}

} // namespace

std::vector<usage::SignalInfo> job_signals(job::Job const& job, data::Split const& split,
                                           Target const& target) {
    usage::Offer offer{job.model.family};
    offer.images = split.suspects.info().sample_shape.size() == 3;
    if (auto const* classifier = std::get_if<std::shared_ptr<model::Classifier>>(&target.model))
        offer.features = (*classifier)->has_features();
    return usage::choose_signals(job.usage.signals, offer);
}

std::vector<pass::Source> usage_sources(job::Job const& job, data::Split const& split, Target const& target,
                                        torch::Device device) {
    usage::SignalPlan const plan{job_signals(job, split, target), job.usage.augmentations,
                                 static_cast<std::uint64_t>(job.job.seed)};
    SignalComputer const computer{batch_signals(target, plan),
                                  target.origin,
                                  split.suspects.info(),
                                  normalisation(job),
                                  plan,
                                  static_cast<std::size_t>(job.compute.batch_size),
                                  device};
    if (job.uses_partners())
        return {partnered_source(split.suspects, computer)};
    return {plain_source("suspects", split.suspects, usage::kSuspectSignals, computer),
            plain_source("held-out samples", *split.held_out, usage::kHeldOutSignals, computer)};
}

store::ResultLayout usage_layout(job::Job const& job, data::Split const& split,
                                 std::vector<usage::SignalInfo> const& signals, std::uint64_t shards) {
    store::ResultLayout layout;
    layout.shards = shards;
    std::uint64_t const suspects = split.suspects.size();
    announce_samples(layout, "/samples", suspects);
    announce_signals(layout, usage::kSuspectSignals, "the suspects", suspects, signals);
    if (job.uses_partners()) {
        for (std::size_t k = 0; k < usage::kSteps; ++k)
            announce_signals(layout, usage::kRungSignals[k],
                             fmt::format("the suspects mixed with others, {} times", k + 1), suspects,
                             signals);
    } else {
        announce_samples(layout, "/held_out/samples", split.held_out->size());
        announce_signals(layout, usage::kHeldOutSignals, "the held-out samples", split.held_out->size(),
                         signals);
    }
    if (job.trains())
        layout.columns.push_back({"/truth/member",
                                  store::native_type<std::uint8_t>(),
                                  {suspects},
                                  "1: the target was trained on the sample; not for estimators",
                                  "1",
                                  ""});
    if (job.dataset.label_noise > 0)
        layout.columns.push_back({"/truth/mislabelled",
                                  store::native_type<std::uint8_t>(),
                                  {suspects},
                                  "1: the label was replaced; not for estimators",
                                  "1",
                                  ""});
    usage::announce_metrics(layout, job.usage.bootstrap);
    return layout;
}

void write_known_columns(comm::Communicator const& comm, store::ResultFile& file, job::Job const& job,
                         data::Split const& split) {
    data::View const& suspects = split.suspects;
    auto const write = [&](std::string const& column, std::uint64_t size, auto const& values) {
        write_in_slices(comm, file, column, size, values);
    };
    write_samples(comm, file, "/samples", suspects);
    if (!job.uses_partners())
        write_samples(comm, file, "/held_out/samples", *split.held_out);
    if (job.trains())
        write("/truth/member", suspects.size(),
              [&](std::uint64_t begin, std::uint64_t end) { return data::membership(split, begin, end); });
    if (job.dataset.label_noise > 0)
        write("/truth/mislabelled", suspects.size(),
              [&](std::uint64_t begin, std::uint64_t end) { return suspects.mislabelled(begin, end); });
}

} // namespace assay::app
