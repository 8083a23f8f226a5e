#include "app/references.hpp"

#include "assay/base/log.hpp"
#include "assay/base/random.hpp"
#include "assay/base/sha256.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/job/job_file.hpp"
#include "assay/model/checkpoint.hpp"
#include "assay/model/train.hpp"

#include <algorithm>

namespace assay::app {

namespace {

std::uint64_t seed_of(job::Job const& job, std::size_t reference) {
    return mix64(static_cast<std::uint64_t>(job.job.seed) ^ (0x7265666572 + reference));
}

std::vector<BuiltIn> untrained(comm::Communicator const& comm, job::Job const& job, data::Split const& split,
                               torch::Device device) {
    return comm::agree(comm, [&] {
        std::vector<BuiltIn> networks;
        for (std::size_t r = 0; r < split.halves.size(); ++r)
            networks.push_back(build(job.references, job.model.family, split, seed_of(job, r), device));
        return networks;
    });
}

std::vector<Model> as_models(std::vector<BuiltIn> const& networks) {
    std::vector<Model> models;
    for (BuiltIn const& network : networks)
        models.push_back(as_model(network));
    return models;
}

// Root. What reference `number` is a function of, as a SHA-256
std::string key_of(job::Job const& job, data::Split const& split, Inputs const& inputs, std::size_t number) {
    job::Job what; // all that is not said is the default
    what.job.seed = job.job.seed;
    what.dataset.mean = job.dataset.mean;
    what.dataset.deviation = job.dataset.deviation;
    what.dataset.label_noise = job.dataset.label_noise;
    what.dataset.classes = split.classes;
    what.model.family = job.model.family;
    what.references = job.references;
    what.references.folder = what.references.filler = "";
    std::string key = fmt::format("{}{} of {}", job::dump(what), number, split.halves.size());
    for (Input const& input : inputs)
        if (input.attribute == "suspects_sha256" || input.attribute == "reference_filler_sha256")
            key += input.sha256;
    for (data::View const* part : {&split.halves[number], &split.reference_filler})
        if (part->size() > 0) {
            std::vector<std::uint64_t> const ids = part->ids(0, part->size());
            key += sha256({reinterpret_cast<char const*>(ids.data()), ids.size() * sizeof(std::uint64_t)});
        }
    return sha256(key);
}

// Collective. One per reference; root reads the ids
std::vector<std::string> keys_of(JobRun const& run, data::Split const& split, Inputs const& inputs) {
    std::string joined;
    comm::agree(run.comm, [&] {
        for (std::size_t r = 0; run.comm.is_root() && r < split.halves.size(); ++r)
            joined += key_of(run.job, split, inputs, r);
    });
    joined = comm::broadcast(run.comm, joined);
    std::vector<std::string> keys;
    for (std::size_t r = 0, length = joined.size() / split.halves.size(); r < split.halves.size(); ++r)
        keys.push_back(joined.substr(r * length, length));
    return keys;
}

// Collective over the group
void train_one(comm::Communicator const& group, JobRun const& run, data::Split const& split,
               std::string const& key, BuiltIn const& network, std::size_t number, torch::Device device) {
    model::TrainingRun const how{.options = run.job.references,
                                 .normalisation = normalisation(run.job),
                                 .seed = seed_of(run.job, number),
                                 .job_hash = key,
                                 .checkpoint = run.files.reference(number),
                                 .resume = run.request.resume,
                                 .section = run.job.references.section};
    spdlog::info("reference model {} of {}", number + 1, split.halves.size());
    model::train(group, *as_network(network), {{split.halves[number], split.reference_filler}}, how, device);
}

// Collective. Groups of ranks train different ones
void train_all(JobRun const& run, data::Split const& split, std::vector<std::string> const& keys,
               std::vector<BuiltIn> const& networks, torch::Device device) {
    comm::Communicator const& comm = run.comm;
    comm::agree(comm, [&] {
        if (comm.is_root())
            std::filesystem::create_directories(run.files.references());
    });
    auto const groups = std::min<std::size_t>(networks.size(), static_cast<std::size_t>(comm.size()));
    std::size_t const mine =
        static_cast<std::size_t>(comm.rank()) * groups / static_cast<std::size_t>(comm.size());
    comm::Communicator const group = comm.split(static_cast<int>(mine));
    for (std::size_t first = 0; first < networks.size(); first += groups) {
        std::optional<Error> problem; // of this group: the others must not wait for it within train()
        if (std::size_t const r = first + mine; r < networks.size())
            try {
                train_one(group, run, split, keys[r], networks[r], r, device);
            } catch (comm::AgreedError const& error) { // any other is for main(), which ends all ranks
                problem = error;
            }
        comm.patient_barrier();
        comm::throw_together(comm, problem);
    }
}

} // namespace

ReferenceModels make_references(JobRun const& run, data::Split const& split, Inputs const& inputs,
                                torch::Device device) {
    job::References const& wanted = run.job.references;
    std::vector<BuiltIn> const networks = untrained(run.comm, run.job, split, device);
    if (networks.empty())
        return {};
    std::vector<std::string> const keys = keys_of(run, split, inputs);
    if (wanted.folder.empty())
        train_all(run, split, keys, networks, device);
    std::string fingerprints;
    for (std::size_t r = 0; r < networks.size(); ++r) {
        std::filesystem::path const file =
            wanted.folder.empty() ? run.files.reference(r) : OutputFiles::reference_in(wanted.folder, r);
        model::load_trained(run.comm, file, *as_network(networks[r]), wanted.ema, device,
                            model::Ended{keys[r], wanted.epochs});
        fingerprints += fingerprint(*as_network(networks[r]));
    }
    return {as_models(networks), sha256(fingerprints)};
}

std::vector<Model> make_trial_references(comm::Communicator const& comm, job::Job const& job,
                                         data::Split const& split, torch::Device device) {
    return as_models(untrained(comm, job, split, device));
}

} // namespace assay::app
