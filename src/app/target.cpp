#include "app/target.hpp"

#include "assay/base/log.hpp"
#include "assay/base/sha256.hpp"
#include "assay/comm/agree.hpp"
#include "assay/job/job_file.hpp"
#include "assay/model/autoregressive_networks.hpp"
#include "assay/model/checkpoint.hpp"
#include "assay/model/classifier_networks.hpp"
#include "assay/model/diffusion_networks.hpp"
#include "assay/model/torchscript.hpp"
#include "assay/model/train.hpp"

namespace assay::app {

namespace {

Target load(comm::Communicator const& comm, job::Model const& wanted, torch::Device device) {
    std::string const& path = wanted.file;
    std::string const bytes = model::read_and_broadcast(comm, path);
    return comm::agree(comm, [&] {
        Target target{{}, sha256(bytes), path};
        if (wanted.family == "autoregressive")
            target.model = model::load_autoregressive(bytes, path, device);
        else if (wanted.family == "diffusion")
            target.model = model::load_diffusion(bytes, path, device);
        else
            target.model = model::load_classifier(bytes, path, device);
        return target;
    });
}

std::uint64_t seed_of(job::Job const& job) {
    return static_cast<std::uint64_t>(job.job.seed);
}

// Local. Of the job's model.train: the untrained network
BuiltIn untrained(job::Job const& job, data::Split const& split, torch::Device device) {
    return build(job.train, job.model.family, split, seed_of(job), device);
}

Target target_of(BuiltIn const& network, std::string origin) {
    return {as_model(network), fingerprint(*as_network(network)), std::move(origin)};
}

// Collective. Two samples through the model: does it keep its family's contract?
void try_out(comm::Communicator const& comm, Target const& target, job::Job const& job,
             data::Split const& split, torch::Device device) {
    comm::agree(comm, [&] {
        std::uint64_t const trial = std::min<std::uint64_t>(2, split.suspects.size());
        data::Samples const samples = split.suspects.read(0, trial);
        model::Batch const batch =
            model::to_batch(samples, split.suspects.info(), normalisation(job), 0, trial, device);
        if (auto const* model = std::get_if<std::shared_ptr<model::Autoregressive>>(&target.model))
            model::check_autoregressive(**model, batch, split.classes, target.origin);
        else if (auto const* model = std::get_if<std::shared_ptr<model::Diffusion>>(&target.model))
            model::check_diffusion(**model, batch, split.classes, target.origin);
        else
            model::check_classifier(*std::get<std::shared_ptr<model::Classifier>>(target.model), batch.x,
                                    split.classes, target.origin);
    });
}

} // namespace

model::Normalisation normalisation(job::Job const& job) {
    return {job.dataset.mean, job.dataset.deviation};
}

std::string fingerprint(model::Network const& network) {
    std::string bytes;
    for (auto const& tensors : {network.parameters(), network.buffers()})
        for (torch::Tensor const& tensor : tensors) {
            torch::Tensor const host = tensor.detach().to(torch::kCPU).contiguous();
            bytes.append(static_cast<char const*>(host.data_ptr()), host.nbytes());
        }
    return sha256(bytes);
}

BuiltIn build(job::Network const& options, std::string const& family, data::Split const& split,
              std::uint64_t seed, torch::Device device) {
    auto const on_device = [&](auto const& make) {
        auto network = make(options, split.suspects.info(), split.classes, seed);
        network->to(device);
        network->eval();
        return network;
    };
    if (family == "autoregressive")
        return on_device(model::make_autoregressive);
    if (family == "diffusion")
        return on_device(model::make_diffusion);
    return on_device(model::make_classifier);
}

std::shared_ptr<model::Network> as_network(BuiltIn const& network) {
    return std::visit([](auto const& of_family) -> std::shared_ptr<model::Network> { return of_family; },
                      network);
}

Model as_model(BuiltIn const& network) {
    return std::visit([](auto const& of_family) -> Model { return of_family; }, network);
}

// Collective. The public model, tried out, where the job names one
std::shared_ptr<model::Classifier> load_public(comm::Communicator const& comm, job::Job const& job,
                                               data::Split const& split, torch::Device device) {
    if (job.model.public_file.empty())
        return nullptr;
    job::Model wanted;
    wanted.file = job.model.public_file;
    Target const found = load(comm, wanted, device);
    try_out(comm, found, job, split, device);
    return std::get<std::shared_ptr<model::Classifier>>(found.model);
}

// A trained model that denoises as if it knew nothing would only be found to leak nothing
void warn_of_other_predictions(Target const& target, job::Job const& job, data::Split const& split,
                               torch::Device device) {
    constexpr double kSuspicious = 0.5;
    auto const* const model = std::get_if<std::shared_ptr<model::Diffusion>>(&target.model);
    if (!model)
        return;
    std::uint64_t const trial = std::min<std::uint64_t>(16, split.suspects.size());
    model::Batch const batch = model::to_batch(split.suspects.read(0, trial), split.suspects.info(),
                                               normalisation(job), 0, trial, device);
    if (double const error = model::late_error(**model, batch); error > kSuspicious)
        spdlog::warn("{}: at nine tenths of its steps the noise that it sees is off by {:.2f} (1: it sees "
                     "none). Does it predict "
                     "the noise, with the schedule of its training, and are dataset.mean and "
                     "dataset.deviation its own?",
                     target.origin, error);
}

Target make_target(comm::Communicator const& comm, job::Job const& job, data::Split const& split,
                   std::string const& training_key, OutputFiles const& files, bool resume,
                   torch::Device device) {
    Target target;
    if (job.trains()) {
        BuiltIn const network = comm::agree(comm, [&] { return untrained(job, split, device); });
        model::TrainingRun const run{.options = job.train,
                                     .normalisation = normalisation(job),
                                     .seed = seed_of(job),
                                     .job_hash = training_key,
                                     .checkpoint = files.checkpoint(),
                                     .resume = resume};
        model::TrainingData data{{split.members, split.filler}};
        if (split.members.size() > 0)
            data.watched.emplace_back("members", split.members);
        if (split.held_out)
            data.watched.emplace_back("held-out", *split.held_out);
        model::train(comm, *as_network(network), data, run, device);
        target = target_of(network, job.train.network + " trained by this job");
    } else {
        target = load(comm, job.model, device);
    }
    try_out(comm, target, job, split, device);
    target.public_model = load_public(comm, job, split, device);
    comm::agree(comm, [&] {
        if (comm.is_root())
            warn_of_other_predictions(target, job, split, device);
    });
    return target;
}

Target make_trial_target(comm::Communicator const& comm, job::Job const& job, data::Split const& split,
                         torch::Device device) {
    Target target =
        job.trains()
            ? comm::agree(comm, [&] { return target_of(untrained(job, split, device), job.train.network); })
            : load(comm, job.model, device);
    try_out(comm, target, job, split, device);
    target.public_model = load_public(comm, job, split, device);
    comm::agree(comm, [&] {
        if (comm.is_root() && !job.trains())
            warn_of_other_predictions(target, job, split, device);
    });
    return target;
}

} // namespace assay::app
