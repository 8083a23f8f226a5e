//! Principal components of samples.
#pragma once

#include "assay/comm/communicator.hpp"
#include "assay/data/view.hpp"
#include "assay/model/batch.hpp"

#include <cstdint>

namespace assay::model {

//! The directions of largest variance of a set of samples with D values each.
struct Pca {
    torch::Tensor mean;  //!< [D] float64
    torch::Tensor basis; //!< [D, components] float64, orthonormal columns, largest variance first

    //! x [B, ...] with D values per sample -> coordinates [B, components] float32. Local.
    torch::Tensor operator()(torch::Tensor const& x) const;
};

//! Local. Error(usage) for more components than values per sample or samples, or fewer than two samples.
void check_components(data::View const& view, std::int64_t components);

//! Collective. Fits on a view; the covariance is summed in float64 over parts of `part_size` samples in their
//! order, so the bits depend on that alone, not on the ranks. Each component's largest coordinate is
//! positive. Error(usage) as check_components(). Memory per rank: up to 12 D^2 float64.
Pca fit_pca(comm::Communicator const& comm, data::View const& view, std::int64_t components,
            std::uint64_t part_size, Normalisation const& normalisation, torch::Device device);

} // namespace assay::model
