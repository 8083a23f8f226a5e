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
#include <iterator>

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

using Groups = std::vector<std::string>;

// Of samples, their partners and their partners': what reference models look at
Groups views_of(job::Job const& job) {
    return job.redraws() ? Groups{usage::kSuspectSignals, usage::kPartnerSignals, usage::kControlSignals}
                         : Groups{usage::kSuspectSignals, usage::kRungSignals[0], usage::kRungSignals[1]};
}

// What is read, taken apart: samples, and what is made of them, as many as there are groups
using Views = std::function<std::vector<data::Samples>(data::Samples&& read)>;

// The target's signals of every view, into `groups`; each reference model's of the first of them, into
// `reference_groups`
pass::Source source_of(std::string name, std::uint64_t size, Groups const& groups,
                       Groups const& reference_groups, Computers const& computers, Views const& views) {
    pass::Source source;
    source.name = std::move(name);
    source.size = size;
    auto const add_columns = [&](std::string const& group) {
        for (usage::SignalInfo const& signal : computers.target.plan.signals)
            source.columns.push_back(group + "/" + signal.name);
    };
    for (std::string const& group : groups)
        add_columns(group);
    for (std::size_t r = 0; r < computers.references.size(); ++r)
        for (std::string const& group : reference_groups)
            add_columns(usage::of_reference(r, group));
    source.compute = [computers, views, looked_at = reference_groups.size()](data::Samples&& read) {
        std::vector<float> values;
        std::vector<data::Samples> const all = views(std::move(read));
        for (data::Samples const& view : all)
            computers.target.append(view, values);
        for (SignalComputer const& reference : computers.references)
            for (std::size_t view = 0; view < looked_at; ++view)
                reference.append(all[view], values);
        return values;
    };
    return source;
}

// Samples as they are
pass::Source plain_source(std::string name, data::View const& view, char const* group,
                          char const* reference_group, Computers const& computers) {
    pass::Source source = source_of(std::move(name), view.size(), {group}, {reference_group}, computers,
                                    [](data::Samples&& read) { return std::vector{std::move(read)}; });
    source.read = [&view](std::uint64_t begin, std::uint64_t end) { return view.read(begin, end); };
    return source;
}

// Samples and their mixtures
pass::Source mixed_source(data::View const& suspects, Groups const& reference_groups,
                          Computers const& computers) {
    Groups groups{usage::kSuspectSignals};
    groups.insert(groups.end(), usage::kRungSignals.begin(), usage::kRungSignals.end());
    std::uint64_t const seed = computers.target.plan.seed;
    pass::Source source = source_of("suspects", suspects.size(), groups, reference_groups, computers,
                                    [seed, info = suspects.info()](data::Samples&& read) {
                                        auto rungs = usage::make_rungs(read, info, seed);
                                        return std::vector(std::make_move_iterator(rungs.begin()),
                                                           std::make_move_iterator(rungs.end()));
                                    });
    source.read = [&suspects, neighbourhoods = usage::Neighbourhoods(suspects, seed)](
                      std::uint64_t begin, std::uint64_t end) mutable {
        return usage::read_for_mixing(suspects, neighbourhoods, begin, end);
    };
    return source;
}

// Samples and what a generator made of them
pass::Source redrawn_source(data::View const& suspects, std::filesystem::path const& images,
                            Groups const& groups, Computers const& computers) {
    pass::Source source = source_of("suspects", suspects.size(), groups, groups, computers,
                                    [parts = groups.size()](data::Samples&& read) {
                                        std::vector<data::Samples> views;
                                        for (std::size_t part = 0; part < parts; ++part)
                                            views.push_back(data::part_of(read, part, parts));
                                        return views;
                                    });
    source.read = [&suspects, images, file = std::make_shared<store::Handle>()](std::uint64_t begin,
                                                                                std::uint64_t end) {
        if (!*file) // `assay check` reads no images: there are none yet
            *file = store::open_to_read(images);
        return read_with_partners(suspects, *file, images, begin, end);
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
    if (job.redraws())
        return {redrawn_source(split.suspects, images, views_of(job), computers)};
    if (job.uses_partners())
        return {mixed_source(split.suspects, views_of(job), computers)};
    return {
        plain_source("suspects", split.suspects, usage::kSuspectSignals, usage::kSuspectSignals, computers),
        plain_source("held-out samples", *split.held_out, usage::kHeldOutSignals, usage::kReferenceHeldOut,
                     computers)};
}

store::ResultLayout usage_layout(job::Job const& job, data::Split const& split,
                                 std::vector<usage::SignalInfo> const& signals, std::uint64_t shards) {
    store::ResultLayout layout;
    layout.shards = shards;
    std::uint64_t const suspects = split.suspects.size();
    announce_samples(layout, "/samples", suspects);
    announce_signals(layout, usage::kSuspectSignals, "the suspects", suspects, signals);
    if (job.redraws()) {
        announce_signals(layout, usage::kPartnerSignals, "the suspects redrawn", suspects, signals);
        announce_signals(layout, usage::kControlSignals, "the suspects redrawn twice", suspects, signals);
    } else if (job.uses_partners()) {
        for (std::size_t k = 0; k < usage::kSteps; ++k)
            announce_signals(layout, usage::kRungSignals[k],
                             fmt::format("the suspects mixed with others, {} times", k + 1), suspects,
                             signals);
    } else {
        announce_samples(layout, "/held_out/samples", split.held_out->size());
        announce_signals(layout, usage::kHeldOutSignals, "the held-out samples", split.held_out->size(),
                         signals);
    }
    for (std::size_t r = 0; r < split.halves.size(); ++r) {
        auto const announce = [&](std::string const& group, char const* whose, std::uint64_t size) {
            announce_signals(layout, usage::of_reference(r, group),
                             fmt::format("{}, on reference model {}", whose, r), size, signals);
        };
        announce(usage::kSuspectSignals, "the suspects", suspects);
        if (job.uses_partners()) {
            announce(views_of(job)[1], "the suspects' partners", suspects);
            announce(views_of(job)[2], "the partners' partners", suspects);
        } else
            announce(usage::kReferenceHeldOut, "the held-out samples", split.held_out->size());
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
