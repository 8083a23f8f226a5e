//! From stored samples to tensors.
#pragma once

#include "assay/data/dataset.hpp"

#include "assay/model/torch.hpp"

#include <string_view>
#include <vector>

namespace assay::model {

//! Per-channel normalisation, applied after bytes are scaled to [0, 1]; empty: none.
struct Normalisation {
    std::vector<double> mean, deviation;
};

//! The label that stands for "no label": the model predicts, or generates, unconditionally.
inline constexpr std::int64_t kNullLabel = -1;

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

//! Local. Appends a tensor's values, as float32, in the order of its rows.
void append(std::vector<float>& values, torch::Tensor const& tensor);

//! Shifts each image of [B, C, H, W] by up to 2 pixels either way (zeros move in) and mirrors half of them.
//! The draw belongs to (seed, id, draw) alone: the versions of one item that share an id share it.
torch::Tensor augment(torch::Tensor const& x, std::vector<std::uint64_t> const& ids, std::uint64_t seed,
                      std::uint64_t draw);

//! Standard normals [B, shape...]: row i is a function of (seed, purpose, ids[i]) alone.
torch::Tensor keyed_normals(std::vector<std::uint64_t> const& ids, torch::IntArrayRef shape,
                            std::uint64_t seed, std::string_view purpose, torch::Device device);

//! The batch's labels, a tenth of them replaced by the null label: a network that learns both predicts with
//! and without (Ho and Salimans 2022). The draw belongs to (draws, id).
torch::Tensor drop_labels(Batch const& batch, std::uint64_t draws);

//! Labels [B] in [0, classes) or null -> [B] in [0, classes]: the row of a table of conditions whose last one
//! is the null label's.
torch::Tensor condition(torch::Tensor const& label, std::int64_t classes);

} // namespace assay::model
