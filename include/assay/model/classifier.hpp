//! The classifier interface: what a stage knows of a model.
#pragma once

#include "assay/model/torch.hpp"

#include <cstdint>
#include <memory>

namespace assay::model {

//! A classifier in evaluation mode on one device. Local throughout; forward passes may be differentiated by
//! the input.
class Classifier {
  public:
    virtual ~Classifier() = default;
    //! x [B, C, H, W] float32 -> logits [B, K] float32.
    virtual torch::Tensor logits(torch::Tensor const& x) = 0;
    //! Does the model offer its last hidden layer?
    virtual bool has_features() const = 0;
    //! x [B, C, H, W] -> {logits [B, K], features [B, F]}; features are undefined without has_features().
    virtual std::pair<torch::Tensor, torch::Tensor> logits_and_features(torch::Tensor const& x) = 0;
};

//! Local. Runs a trial batch through the model. Error(data), naming `origin` and what came back, unless the
//! logits are [B, K] float32, finite, with K >= `classes`, and features (where offered) are [B, F] float32.
void check_classifier(Classifier& classifier, torch::Tensor const& trial, std::int64_t classes,
                      std::string const& origin);

} // namespace assay::model
