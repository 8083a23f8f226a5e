//! Membership signals of a batch of labelled samples on a diffusion model.
#pragma once

#include "assay/model/diffusion.hpp"
#include "assay/usage/signal_info.hpp"

namespace assay::usage {

//! Local. [K, B] float32 on the CPU, one row per signal of the plan. Times of the names are of 1,000 steps; a
//! model of T takes the same share of them. Noise belongs to (seed, time, draw, id): versions of one item
//! that carry its id share it, and so do the two conditions. Formulas and sources: docs/signals.md.
torch::Tensor diffusion_signals(model::Diffusion& model, model::Batch const& batch, SignalPlan const& plan);

} // namespace assay::usage
