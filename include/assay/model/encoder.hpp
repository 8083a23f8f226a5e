//! The interface of models with a code of their own for a sample.
#pragma once

#include "assay/model/torch.hpp"

namespace assay::model {

//! An encoder in evaluation mode on one device. Local.
class Encoder {
  public:
    virtual ~Encoder() = default;
    //! x [B, C, H, W] float32 -> z [B, F] float32.
    virtual torch::Tensor encode(torch::Tensor const& x) = 0;
};

} // namespace assay::model
