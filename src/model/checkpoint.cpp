#include "assay/model/checkpoint.hpp"

#include "assay/base/error.hpp"
#include "assay/base/fault.hpp"
#include "assay/base/sha256.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/store/result_file.hpp"
#include "model/weight_average.hpp"

#include <fstream>
#include <sstream>

namespace assay::model {

namespace {
// A checkpoint begins with the SHA-256 of the rest, in hexadecimal: torch's archives do not notice a flipped
// bit
constexpr std::size_t kDigestSize = 64;

// Local. The archive in a checkpoint's bytes. Error(data) unless they are those that were written
torch::serialize::InputArchive open_archive(std::string const& bytes, std::filesystem::path const& path,
                                            torch::Device device) {
    if (bytes.size() < kDigestSize || sha256(bytes.substr(kDigestSize)) != bytes.substr(0, kDigestSize))
        fail(Exit::data,
             "{}: not a checkpoint of assay, or damaged (its SHA-256 does not match). Remove it to "
             "train again",
             path.string());
    std::istringstream stream(bytes.substr(kDigestSize));
    torch::serialize::InputArchive archive;
    archive.load_from(stream, device);
    return archive;
}

void check_ended(std::filesystem::path const& path, Ended const& found, Ended const& wanted) {
    if (found.job_hash != wanted.job_hash)
        fail(Exit::usage,
             "{}: was trained on other samples, with another seed, or by other settings than this job asks "
             "for. Use "
             "those, or train anew",
             path.string());
    if (found.epochs < wanted.epochs)
        fail(Exit::usage,
             "{}: its training has not ended ({} of {} epochs). Go on with the run that makes it, with "
             "--resume",
             path.string(), found.epochs, wanted.epochs);
}

std::vector<std::vector<std::int64_t>> shapes_of(Network const& network) {
    std::vector<std::vector<std::int64_t>> shapes;
    for (auto const& tensors : {network.parameters(), network.buffers()})
        for (torch::Tensor const& tensor : tensors)
            shapes.push_back(tensor.sizes().vec());
    return shapes;
}

} // namespace

void save_checkpoint(comm::Communicator const& comm, std::filesystem::path const& path,
                     std::string const& job_hash, Network const& network,
                     torch::optim::Optimizer const& optimizer, torch::nn::Module const& average,
                     std::int64_t epochs_done) {
    comm::agree(comm, [&] {
        if (!comm.is_root())
            return;
        torch::serialize::OutputArchive archive, weights, state, averaged;
        network.save(weights);
        optimizer.save(state);
        average.save(averaged);
        archive.write("network", weights);
        archive.write("optimizer", state);
        archive.write("average", averaged);
        archive.write("epochs_done", c10::IValue(epochs_done));
        archive.write("job_hash", c10::IValue(job_hash));
        std::ostringstream bytes;
        archive.save_to(bytes);
        std::filesystem::path const temporary = path.string() + ".new";
        std::ofstream file(temporary, std::ios::binary);
        file << sha256(bytes.str());
        fault_point("checkpoint");
        file << bytes.str();
        file.close();
        if (!file)
            fail(Exit::io,
                 "{}: cannot be written (disk full, or no permission). Free space or choose another --output",
                 temporary.string());
        store::sync_to_disk(temporary);
        std::filesystem::rename(temporary, path);
        store::sync_to_disk(std::filesystem::absolute(path).parent_path());
    });
}

std::string read_and_broadcast(comm::Communicator const& comm, std::filesystem::path const& path) {
    std::ostringstream bytes;
    comm::agree(comm, [&] {
        if (!comm.is_root())
            return;
        std::ifstream file(path, std::ios::binary);
        if (!file || !(bytes << file.rdbuf()))
            fail(Exit::data, "{}: cannot be read (missing, empty or no permission). Check the path",
                 path.string());
    });
    return comm::broadcast(comm, bytes.str());
}

std::int64_t load_checkpoint(comm::Communicator const& comm, std::filesystem::path const& path,
                             std::string const& job_hash, Network& network,
                             torch::optim::Optimizer& optimizer, torch::nn::Module& average,
                             torch::Device device) {
    bool const there = comm::broadcast(comm, static_cast<std::int64_t>(std::filesystem::exists(path))) != 0;
    if (!there)
        return 0;
    std::string const bytes = read_and_broadcast(comm, path);
    return comm::agree(comm, [&] {
        c10::IValue epochs, hash;
        try {
            torch::serialize::InputArchive archive = open_archive(bytes, path, device), weights, state,
                                           averaged;
            archive.read("job_hash", hash);
            if (hash.toStringRef() == job_hash) {
                archive.read("network", weights);
                archive.read("optimizer", state);
                archive.read("average", averaged);
                network.load(weights);
                optimizer.load(state);
                average.load(averaged);
            }
            archive.read("epochs_done", epochs);
        } catch (c10::Error const&) {
            fail(Exit::data, "{}: not a checkpoint of assay (damaged?). Remove it to train again",
                 path.string());
        }
        if (hash.toStringRef() != job_hash)
            fail(Exit::usage,
                 "{}: belongs to another job (its job hash differs). Use another --output or --overwrite",
                 path.string());
        return epochs.toInt();
    });
}

void load_trained(comm::Communicator const& comm, std::filesystem::path const& path, Network& network,
                  double ema, torch::Device device, std::optional<Ended> const& wanted) {
    std::string const bytes = read_and_broadcast(comm, path);
    comm::agree(comm, [&] {
        auto const shapes = shapes_of(network);
        WeightAverage average(network, ema);
        c10::IValue hash, epochs;
        try {
            torch::serialize::InputArchive archive = open_archive(bytes, path, device), weights, averaged;
            archive.read("job_hash", hash);
            archive.read("epochs_done", epochs);
            if (wanted)
                check_ended(path, {hash.toStringRef(), epochs.toInt()}, *wanted);
            archive.read("network", weights);
            archive.read("average", averaged);
            network.load(weights);
            average.load(averaged);
        } catch (c10::Error const&) {
            fail(Exit::data,
                 "{}: its weights do not belong to the job's network (or it is no checkpoint of assay). Use "
                 "the "
                 "section generator that it was trained with",
                 path.string());
        }
        if (shapes_of(network) != shapes)
            fail(Exit::data,
                 "{}: its weights have other shapes than the job's network. Use the section generator that "
                 "it was "
                 "trained with",
                 path.string());
        if (ema != 0)
            average.swap();
    });
}

} // namespace assay::model
