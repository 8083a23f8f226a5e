//! Membership signals of a batch of labelled samples on an autoregressive model.
#pragma once

#include "assay/model/autoregressive.hpp"
#include "assay/usage/signal_info.hpp"

namespace assay::usage {

//! Local. [K, B] float32 on the CPU, one row per signal, computed in float64 from the logits under the
//! sample's label and under the null label (two forward passes). Formulas: docs/signals.md (Min-K%++: Zhang
//! et al. 2024; CAMIA: Chang et al. 2024; guidance differences: Kowalczuk et al. 2025).
torch::Tensor autoregressive_signals(model::Autoregressive& model, model::Batch const& batch,
                                     std::span<SignalInfo const> signals);

} // namespace assay::usage
