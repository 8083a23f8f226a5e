//! From stored samples to tensors.
#pragma once

#include "assay/data/dataset.hpp"

#include <torch/torch.h>

#include <vector>

namespace assay::model {

//! Per-channel normalisation, applied after bytes are scaled to [0, 1]; empty: none.
struct Normalisation {
    std::vector<double> mean, deviation;
};

//! Samples as a model sees them.
struct Batch {
    std::vector<std::uint64_t> ids; //!< [B]
    torch::Tensor x;                //!< [B, ...] float32 on the device
    torch::Tensor y;                //!< [B] int64 on the device
};

//! Local. Rows [begin, end) of `samples` as a batch on `device`. Error(data) if the normalisation's length is
//! not the number of channels (axis 1).
Batch to_batch(data::Samples const& samples, data::DatasetInfo const& info,
               Normalisation const& normalisation, std::size_t begin, std::size_t end, torch::Device device);

//! Shifts each image of [B, C, H, W] by up to 2 pixels either way (zeros move in) and mirrors half of them.
//! The draw belongs to (seed, id, draw) alone: the versions of one item that share an id share it.
torch::Tensor augment(torch::Tensor const& x, std::vector<std::uint64_t> const& ids, std::uint64_t seed,
                      std::uint64_t draw);

} // namespace assay::model
