#include "app/usage_pass.hpp"

#include "app/job_run.hpp"
#include "app/partner_images.hpp"

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
#include <span>

namespace assay::app {

namespace {

//! Signals of a batch on a model: [K, B] float32 on the CPU.
using BatchSignals = std::function<torch::Tensor(model::Batch const&)>;

BatchSignals batch_signals(Model const& any, usage::SignalPlan const& plan,
                           std::shared_ptr<model::Classifier> const& public_model) {
    if (auto const* found = std::get_if<std::shared_ptr<model::Autoregressive>>(&any))
        return [model = *found, plan](model::Batch const& batch) {
            return usage::autoregressive_signals(*model, batch, plan.signals);
        };
    if (auto const* found = std::get_if<std::shared_ptr<model::Diffusion>>(&any))
        return [model = *found, plan](model::Batch const& batch) {
            return usage::diffusion_signals(*model, batch, plan);
        };
    auto const& classifier = std::get<std::shared_ptr<model::Classifier>>(any);
    return [=](model::Batch const& batch) {
        return usage::classifier_signals(*classifier, batch, plan, public_model.get());
    };
}

// Computes signals of samples in memory; copies share the model.
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

// The target's, and the reference models'
struct Computers {
    SignalComputer target;
    std::vector<SignalComputer> references;
};

// A set of samples whose signals are columns: of the target, and of the reference models unless they do not
// look
struct SampleSet {
    std::string whose, group, reference_group; // group "" of the references: they do not
};
using SampleSets = std::vector<SampleSet>;

// Suspects, mixtures, redrawn: the order in which partner_source() makes them
SampleSets partner_sets(job::Job const& job) {
    SampleSets sets{{"the suspects", usage::kSuspectSignals, usage::kSuspectSignals}};
    for (std::size_t k = 0; job.mixes() && k < usage::kSteps; ++k)
        sets.push_back({fmt::format("the suspects mixed with others, {} times", k + 1),
                        usage::kRungSignals[k], k < 2 ? usage::kRungSignals[k] : ""});
    if (job.redraws())
        for (std::size_t k = 0; k < usage::kRedrawnSignals.size(); ++k)
            sets.push_back({k == 0 ? "the suspects' redrawn partners" : "those partners redrawn again",
                            usage::kRedrawnSignals[k], usage::kRedrawnSignals[k]});
    return sets;
}

SampleSet const kHeldOut{"the held-out samples", usage::kHeldOutSignals, usage::kReferenceHeldOut};

// What is read, taken apart: one set of samples each
using Parts = std::function<std::vector<data::Samples>(data::Samples&& read)>;

pass::Source source_of(std::string name, std::uint64_t size, SampleSets const& sets,
                       Computers const& computers, Parts const& parts_of) {
    pass::Source source;
    source.name = std::move(name);
    source.size = size;
    auto const add_columns = [&](std::string const& group) {
        for (usage::SignalInfo const& signal : computers.target.plan.signals)
            source.columns.push_back(group + "/" + signal.name);
    };
    for (SampleSet const& set : sets)
        add_columns(set.group);
    for (std::size_t r = 0; r < computers.references.size(); ++r)
        for (SampleSet const& set : sets)
            if (!set.reference_group.empty())
                add_columns(usage::of_reference(r, set.reference_group));
    source.compute = [computers, parts_of, sets](data::Samples&& read) {
        std::vector<float> values;
        std::vector<data::Samples> const parts = parts_of(std::move(read));
        for (data::Samples const& part : parts)
            computers.target.append(part, values);
        for (SignalComputer const& reference : computers.references)
            for (std::size_t s = 0; s < sets.size(); ++s)
                if (!sets[s].reference_group.empty())
                    reference.append(parts[s], values);
        return values;
    };
    return source;
}

// Samples as they are
pass::Source plain_source(std::string name, data::View const& view, SampleSet const& set,
                          Computers const& computers) {
    pass::Source source = source_of(std::move(name), view.size(), {set}, computers,
                                    [](data::Samples&& read) { return std::vector{std::move(read)}; });
    source.read = [&view](std::uint64_t begin, std::uint64_t end) { return view.read(begin, end); };
    return source;
}

// Suspects and their partners: what is read are suspects, those that they are mixed with, those redrawn
pass::Source partner_source(job::Job const& job, data::View const& suspects,
                            std::filesystem::path const& images, Computers const& computers) {
    bool const mixes = job.mixes(), redraws = job.redraws();
    std::uint64_t const seed = computers.target.plan.seed;
    std::size_t const mixed = mixes ? usage::kRungs : 1,
                      read_parts = mixed + (redraws ? kPartnerImages.size() : 0);
    pass::Source source =
        source_of("suspects", suspects.size(), partner_sets(job), computers,
                  [=, info = suspects.info()](data::Samples&& read) {
                      std::vector<data::Samples> parts;
                      for (std::size_t part = 0; part < read_parts; ++part)
                          parts.push_back(data::part_of(read, part, read_parts));
                      if (mixes)
                          usage::mix_rungs(std::span(parts).first<usage::kRungs>(), info, seed);
                      return parts;
                  });
    source.read = [=, &suspects, neighbourhoods = usage::Neighbourhoods(suspects, seed),
                   file = std::make_shared<store::Handle>()](std::uint64_t begin, std::uint64_t end) mutable {
        data::Samples samples =
            mixes ? usage::read_for_mixing(suspects, neighbourhoods, begin, end) : suspects.read(begin, end);
        if (redraws) {
            if (!*file) // `assay check` reads no images: there are none yet
                *file = store::open_to_read(images);
            append_partners(samples, suspects, *file, images, begin, end);
        }
        return samples;
    };
    return source;
}

void announce_signals(store::ResultLayout& layout, std::string const& group, std::string const& whose,
                      std::uint64_t size, std::vector<usage::SignalInfo> const& signals) {
    for (usage::SignalInfo const& signal : signals)
        layout.columns.push_back({group + "/" + signal.name,
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
    offer.is_public = target.public_model != nullptr;
    return usage::choose_signals(job.usage.signals, offer);
}

std::vector<pass::Source> usage_sources(job::Job const& job, data::Split const& split, Target const& target,
                                        std::vector<Model> const& references,
                                        std::filesystem::path const& images, torch::Device device) {
    usage::SignalPlan const plan{job_signals(job, split, target), job.usage.augmentations,
                                 static_cast<std::uint64_t>(job.job.seed)};
    auto const computer = [&](Model const& model, std::string const& origin) {
        return SignalComputer{batch_signals(model, plan, target.public_model),
                              origin,
                              split.suspects.info(),
                              normalisation(job),
                              plan,
                              static_cast<std::size_t>(job.compute.batch_size),
                              device};
    };
    Computers computers{computer(target.model, target.origin), {}};
    for (std::size_t r = 0; r < references.size(); ++r)
        computers.references.push_back(computer(references[r], fmt::format("reference model {}", r)));
    if (job.uses_partners())
        return {partner_source(job, split.suspects, images, computers)};
    return {plain_source("suspects", split.suspects, partner_sets(job).front(), computers),
            plain_source("held-out samples", *split.held_out, kHeldOut, computers)};
}

store::ResultLayout usage_layout(job::Job const& job, data::Split const& split,
                                 std::vector<usage::SignalInfo> const& signals, std::uint64_t shards) {
    store::ResultLayout layout;
    layout.shards = shards;
    std::uint64_t const suspects = split.suspects.size();
    announce_samples(layout, "/samples", suspects);
    SampleSets sets = partner_sets(job);
    if (!job.uses_partners()) {
        announce_samples(layout, "/held_out/samples", split.held_out->size());
        sets.push_back(kHeldOut);
    }
    auto const size_of = [&](SampleSet const& set) {
        return set.group == kHeldOut.group ? split.held_out->size() : suspects;
    };
    for (SampleSet const& set : sets)
        announce_signals(layout, set.group, set.whose, size_of(set), signals);
    for (std::size_t r = 0; r < split.halves.size(); ++r) {
        for (SampleSet const& set : sets)
            if (!set.reference_group.empty())
                announce_signals(layout, usage::of_reference(r, set.reference_group),
                                 fmt::format("{}, on reference model {}", set.whose, r), size_of(set),
                                 signals);
        layout.columns.push_back({usage::of_reference(r, usage::kReferenceMember),
                                  store::native_type<std::uint8_t>(),
                                  {suspects},
                                  "1: the reference model was trained on the sample",
                                  "1",
                                  ""});
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
        write("/truth/member", suspects.size(), [&](std::uint64_t begin, std::uint64_t end) {
            return data::membership(split, split.members, begin, end);
        });
    for (std::size_t r = 0; r < split.halves.size(); ++r)
        write(usage::of_reference(r, usage::kReferenceMember), suspects.size(),
              [&](std::uint64_t begin, std::uint64_t end) {
                  return data::membership(split, split.halves[r], begin, end);
              });
    if (job.dataset.label_noise > 0)
        write("/truth/mislabelled", suspects.size(),
              [&](std::uint64_t begin, std::uint64_t end) { return suspects.mislabelled(begin, end); });
}

} // namespace assay::app
