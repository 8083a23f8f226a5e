//! The interface of autoregressive models over discrete tokens: what a stage knows of one.
#pragma once

#include "assay/model/batch.hpp"

#include "assay/model/torch.hpp"

#include <cstdint>
#include <string>

namespace assay::model {

//! An autoregressive model in evaluation mode on one device, conditioned on a class label. Local throughout.
class Autoregressive {
  public:
    virtual ~Autoregressive() = default;
    //! x [B, ...] float32 -> tokens [B, T] int64, each in [0, V).
    virtual torch::Tensor tokenize(torch::Tensor const& x) = 0;
    //! tokens [B, T] int64, label [B] int64 (kNullLabel: none) -> logits [B, T, V] float32 of token t given
    //! the tokens before it.
    virtual torch::Tensor logits(torch::Tensor const& tokens, torch::Tensor const& label) = 0;
};

//! Local. Runs a trial batch through the model. Error(data), naming `origin` and what came back, unless the
//! logits are finite for every one of `classes` labels at hand and for the null label, differ between the
//! two, and do not look ahead (no logit changes with the last token).
void check_autoregressive(Autoregressive& model, Batch const& trial, std::int64_t classes,
                          std::string const& origin);

} // namespace assay::model
