//! Membership signals of a batch of labelled samples on a diffusion model.
#pragma once

#include "assay/model/diffusion.hpp"
#include "assay/usage/signal_info.hpp"

#include <functional>

namespace assay::usage {

//! Local. [K, B] float32 on the CPU, one row per signal of the plan. Times of the names are of 1,000 steps; a
//! model of T takes the same share of them. Noise belongs to (seed, time, draw, id): versions of one item
//! that carry its id share it, and so do the two conditions. Formulas and sources: docs/signals.md.
torch::Tensor diffusion_signals(model::Diffusion& model, model::Batch const& batch, SignalPlan const& plan);

//! Rows found by minimise().
struct RowMinima {
    torch::Tensor value; //!< [B]
    torch::Tensor at;    //!< [B, ...]
};

//! Local. `steps` steps of L-BFGS (Liu and Nocedal 1989) from 0, each row of [B, ...] by itself, without line
//! search, the first step no longer than 1: what torch's optimiser does to one row alone. `f` gives [B],
//! differentiable.
RowMinima minimise(std::function<torch::Tensor(torch::Tensor const&)> const& f, torch::IntArrayRef shape,
                   torch::TensorOptions const& options, int steps);

} // namespace assay::usage
