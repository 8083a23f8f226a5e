//! Membership signals of a batch of labelled samples.
#pragma once

#include "assay/model/batch.hpp"
#include "assay/model/classifier.hpp"
#include "assay/usage/signal_info.hpp"

namespace assay::usage {

//! Local. [K, B] float32 on the CPU, one row per signal of the plan, accumulated in float64 where it matters.
//! Augmentations and neighbours are drawn by the batch's ids, so versions of one item that carry its id share
//! them. `public_model`: certainly not trained on the samples; needed where the plan holds calibrated_logit.
torch::Tensor classifier_signals(model::Classifier& classifier, model::Batch const& batch,
                                 SignalPlan const& plan, model::Classifier* public_model = nullptr);

//! Logit-scaled confidence [B] float64 of labels y [B] under logits [B, K]: l_y - logsumexp of the others.
torch::Tensor logit_scaled_confidence(torch::Tensor const& logits, torch::Tensor const& y);

} // namespace assay::usage
