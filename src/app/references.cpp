#include "app/references.hpp"

#include "assay/base/log.hpp"
#include "assay/base/random.hpp"
#include "assay/base/sha256.hpp"
#include "assay/comm/agree.hpp"
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

// Collective over the group
void train_one(comm::Communicator const& group, job::Job const& job, data::Split const& split,
               std::string const& key, std::filesystem::path const& checkpoint, bool resume,
               BuiltIn const& network, std::size_t number, torch::Device device) {
    model::TrainingRun const run{.options = job.references,
                                 .normalisation = normalisation(job),
                                 .seed = seed_of(job, number),
                                 .job_hash = key,
                                 .checkpoint = checkpoint,
                                 .resume = resume,
                                 .section = job.references.section};
    spdlog::info("reference model {} of {}", number + 1, split.halves.size());
    model::train(group, *as_network(network), {{split.halves[number], split.reference_filler}}, run, device);
}

} // namespace

ReferenceModels make_references(comm::Communicator const& comm, job::Job const& job, data::Split const& split,
                                std::string const& key, OutputFiles const& files, bool resume,
                                torch::Device device) {
    std::vector<BuiltIn> const networks = untrained(comm, job, split, device);
    if (networks.empty())
        return {};
    comm::agree(comm, [&] {
        if (comm.is_root())
            std::filesystem::create_directories(files.references());
    });
    auto const groups = std::min<std::size_t>(networks.size(), static_cast<std::size_t>(comm.size()));
    std::size_t const mine =
        static_cast<std::size_t>(comm.rank()) * groups / static_cast<std::size_t>(comm.size());
    comm::Communicator const group = comm.split(static_cast<int>(mine));
    for (std::size_t first = 0; first < networks.size(); first += groups) {
        std::optional<Error> problem; // of this group: the others must not wait for it within train()
        if (std::size_t const r = first + mine; r < networks.size())
            try {
                train_one(group, job, split, key, files.reference(r), resume, networks[r], r, device);
            } catch (comm::AgreedError const& error) { // any other is for main(), which ends all ranks
                problem = error;
            }
        comm.patient_barrier();
        comm::throw_together(comm, problem);
    }
    for (std::size_t r = 0; r < networks.size(); ++r)
        model::load_trained(comm, files.reference(r), *as_network(networks[r]), job.references.ema, device);
    std::string fingerprints;
    for (BuiltIn const& network : networks)
        fingerprints += fingerprint(*as_network(network));
    return {as_models(networks), sha256(fingerprints)};
}

std::vector<Model> make_trial_references(comm::Communicator const& comm, job::Job const& job,
                                         data::Split const& split, torch::Device device) {
    return as_models(untrained(comm, job, split, device));
}

} // namespace assay::app
