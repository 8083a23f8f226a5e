#include "assay/model/pca.hpp"

#include "assay/base/error.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/comm/ordered_sum.hpp"

namespace assay::model {

namespace {

// Parts that are exchanged at a time: fixed, since it decides in which order sums are added
constexpr std::uint64_t kPartsPerRound = 8;

// Local. Appends [sum of x, sum of x x'] of one part
void append_moments(torch::Tensor const& x, std::vector<double>& flat) {
    torch::Tensor const rows = x.flatten(1).to(torch::kFloat64);
    for (torch::Tensor const& moment : {rows.sum(0), rows.t().mm(rows).flatten()}) {
        torch::Tensor const host = moment.to(torch::kCPU).contiguous();
        flat.insert(flat.end(), host.data_ptr<double>(), host.data_ptr<double>() + host.numel());
    }
}

// Collective. Sums over all samples
std::vector<double> moments(comm::Communicator const& comm, data::View const& view, std::uint64_t part_size,
                            Normalisation const& normalisation, torch::Device device) {
    std::size_t const width = view.info().sample_elements(), length = width + width * width;
    std::uint64_t const parts = (view.size() + part_size - 1) / part_size;
    std::vector<double> total(length, 0.0);
    for (std::uint64_t first = 0; first < parts; first += kPartsPerRound) {
        std::uint64_t const in_round = std::min(kPartsPerRound, parts - first);
        std::vector<double> mine;
        comm::agree(comm, [&] {
            for (std::uint64_t part = 0; part < in_round; ++part) {
                if (comm::owner_of_part(part, comm) != comm.rank())
                    continue;
                std::uint64_t const begin = (first + part) * part_size;
                data::Samples const samples = view.read(begin, std::min(view.size(), begin + part_size));
                append_moments(to_batch(samples, view.info(), normalisation, 0, samples.ids.size(), device).x,
                               mine);
            }
        });
        std::vector<double> const sum =
            comm::ordered_sum(comm, std::span<double const>(mine), in_round, length);
        for (std::size_t i = 0; i < length; ++i)
            total[i] += sum[i];
    }
    return total;
}

// [D, components] of a covariance [D, D]
torch::Tensor leading_directions(torch::Tensor const& covariance, std::int64_t components) {
    auto const [values, vectors] = torch::linalg_eigh(covariance); // ascending
    torch::Tensor const leading = vectors.flip(1).narrow(1, 0, components);
    torch::Tensor const largest = leading.gather(0, leading.abs().argmax(0, /*keepdim=*/true));
    return (leading * largest.sign()).contiguous(); // an eigenvector's sign is nobody's
}

} // namespace

torch::Tensor Pca::operator()(torch::Tensor const& x) const {
    torch::Tensor const rows = x.flatten(1).to(torch::kFloat64);
    return (rows - mean.to(x.device())).mm(basis.to(x.device())).to(torch::kFloat32);
}

void check_components(data::View const& view, std::int64_t components) {
    std::uint64_t const width = view.info().sample_elements();
    if (static_cast<std::uint64_t>(components) > std::min(width, view.size()) || view.size() < 2)
        fail(Exit::usage,
             "features.components={} of {} training samples with {} values each (too few). Lower it, or give "
             "more samples",
             components, view.size(), width);
}

Pca fit_pca(comm::Communicator const& comm, data::View const& view, std::int64_t components,
            std::uint64_t part_size, Normalisation const& normalisation, torch::Device device) {
    comm::agree(comm, [&] { check_components(view, components); });
    auto const width = static_cast<std::int64_t>(view.info().sample_elements());
    std::vector<double> sums = moments(comm, view, part_size, normalisation, device);
    Pca pca;
    auto const count = static_cast<double>(view.size());
    pca.mean = torch::from_blob(sums.data(), {width}, torch::kFloat64).div(count);
    torch::Tensor const second = torch::from_blob(sums.data() + width, {width, width}, torch::kFloat64);
    pca.basis = comm::agree(comm, [&] {
        if (!comm.is_root())
            return torch::empty({width, components}, torch::kFloat64);
        return leading_directions(second.div(count) - pca.mean.outer(pca.mean), components);
    });
    comm::broadcast_bytes(comm, pca.basis.data_ptr(), pca.basis.nbytes());
    return pca;
}

} // namespace assay::model
