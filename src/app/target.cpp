#include "app/target.hpp"

#include "assay/base/sha256.hpp"
#include "assay/comm/agree.hpp"
#include "assay/job/job_file.hpp"
#include "assay/model/checkpoint.hpp"
#include "assay/model/torchscript.hpp"
#include "assay/model/train.hpp"

namespace assay::app {

namespace {

Target load(comm::Communicator const& comm, std::string const& path, torch::Device device) {
    std::string const bytes = model::read_and_broadcast(comm, path);
    return comm::agree(comm, [&] {
        return Target{model::load_torchscript(bytes, path, device), sha256(bytes), path};
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

void try_out(comm::Communicator const& comm, Target const& target, job::Job const& job,
             data::Split const& split, torch::Device device) {
    comm::agree(comm, [&] {
        std::uint64_t const trial = std::min<std::uint64_t>(2, split.suspects.size());
        data::Samples const samples = split.suspects.read(0, trial);
        model::Batch const batch =
            model::to_batch(samples, split.suspects.info(), normalisation(job), 0, trial, device);
        model::check_classifier(*target.classifier, batch.x, split.classes, target.origin);
    });
}

} // namespace

model::Normalisation normalisation(job::Job const& job) {
    return {job.dataset.mean, job.dataset.deviation};
}

Target make_target(comm::Communicator const& comm, job::Job const& job, data::Split const& split,
                   std::string const& training_key, OutputFiles const& files, bool resume,
                   torch::Device device) {
    Target target;
    if (job.trains()) {
        model::TrainingRun const run{job.train,    normalisation(job), seed_of(job), split.classes,
                                     training_key, files.checkpoint(), resume};
        auto const network = model::train(comm, split, run, device);
        target = {network, fingerprint(*network), job.train.network + " trained by this job"};
    } else {
        target = load(comm, job.model.file, device);
    }
    try_out(comm, target, job, split, device);
    return target;
}

Target make_trial_target(comm::Communicator const& comm, job::Job const& job, data::Split const& split,
                         torch::Device device) {
    Target target;
    if (job.trains()) {
        auto const network = comm::agree(comm, [&] {
            auto made = model::make_network(job.train, split.suspects.info(), split.classes, seed_of(job));
            made->to(device);
            made->eval();
            return made;
        });
        target = {network, fingerprint(*network), job.train.network};
    } else {
        target = load(comm, job.model.file, device);
    }
    try_out(comm, target, job, split, device);
    return target;
}

} // namespace assay::app
