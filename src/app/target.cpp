#include "app/target.hpp"

#include "assay/base/sha256.hpp"
#include "assay/comm/agree.hpp"
#include "assay/job/job_file.hpp"
#include "assay/model/checkpoint.hpp"
#include "assay/model/classifier_networks.hpp"
#include "assay/model/torchscript.hpp"
#include "assay/model/train.hpp"

namespace assay::app {

namespace {

Target load(comm::Communicator const& comm, std::string const& path, torch::Device device) {
    std::string const bytes = model::read_and_broadcast(comm, path);
    return comm::agree(comm, [&] {
        return Target{model::load_classifier(bytes, path, device), sha256(bytes), path};
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
        auto const& classifier = std::get<std::shared_ptr<model::Classifier>>(target.model);
        model::check_classifier(*classifier, batch.x, split.classes, target.origin);
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
        model::TrainingRun const run{job.train,    normalisation(job), seed_of(job),
                                     training_key, files.checkpoint(), resume};
        model::train(comm, *network, split, run, device);
        return Target{network, fingerprint(*network), job.train.network + " trained by this job"};
    };
    Target target =
        job.trains() ? with_network(comm, job, split, device, trained) : load(comm, job.model.file, device);
    try_out(comm, target, job, split, device);
    return target;
}

Target make_trial_target(comm::Communicator const& comm, job::Job const& job, data::Split const& split,
                         torch::Device device) {
    auto const untrained = [&](auto const& network) {
        return Target{network, fingerprint(*network), job.train.network};
    };
    Target target =
        job.trains() ? with_network(comm, job, split, device, untrained) : load(comm, job.model.file, device);
    try_out(comm, target, job, split, device);
    return target;
}

} // namespace assay::app
