#include "app/target.hpp"

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

// The parameters' bytes, in the network's own order
std::string fingerprint(model::Network const& network) {
    std::string bytes;
    for (auto const& tensors : {network.parameters(), network.buffers()})
        for (torch::Tensor const& tensor : tensors) {
            torch::Tensor const host = tensor.detach().to(torch::kCPU).contiguous();
            bytes.append(static_cast<char const*>(host.data_ptr()), host.nbytes());
        }
    return sha256(bytes);
}

std::uint64_t seed_of(job::Job const& job) {
    return static_cast<std::uint64_t>(job.job.seed);
}

// Collective. The untrained network that the job names, on `device`; then use(network) makes a target of it
template <class Use>
Target with_network(comm::Communicator const& comm, job::Job const& job, data::Split const& split,
                    torch::Device device, Use const& use) {
    auto const on_device = [&](auto const& make) {
        return comm::agree(comm, [&] {
            auto network = make(job.train, split.suspects.info(), split.classes, seed_of(job));
            network->to(device);
            network->eval();
            return network;
        });
    };
    if (job.model.family == "autoregressive")
        return use(on_device(model::make_autoregressive));
    if (job.model.family == "diffusion")
        return use(on_device(model::make_diffusion));
    return use(on_device(model::make_classifier));
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

Target make_target(comm::Communicator const& comm, job::Job const& job, data::Split const& split,
                   std::string const& training_key, OutputFiles const& files, bool resume,
                   torch::Device device) {
    auto const trained = [&](auto const& network) {
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
        model::train(comm, *network, data, run, device);
        return Target{network, fingerprint(*network), job.train.network + " trained by this job"};
    };
    Target target =
        job.trains() ? with_network(comm, job, split, device, trained) : load(comm, job.model, device);
    try_out(comm, target, job, split, device);
    return target;
}

Target make_trial_target(comm::Communicator const& comm, job::Job const& job, data::Split const& split,
                         torch::Device device) {
    auto const untrained = [&](auto const& network) {
        return Target{network, fingerprint(*network), job.train.network};
    };
    Target target =
        job.trains() ? with_network(comm, job, split, device, untrained) : load(comm, job.model, device);
    try_out(comm, target, job, split, device);
    return target;
}

} // namespace assay::app
