//! The interface of autoencoders: samples to a code and back.
#pragma once

#include <torch/torch.h>

namespace assay::model {

//! An autoencoder in evaluation mode on one device. Local throughout.
class Autoencoder {
  public:
    virtual ~Autoencoder() = default;
    //! x [B, C, H, W] float32 -> z [B, F] float32.
    virtual torch::Tensor encode(torch::Tensor const& x) = 0;
    //! z [B, F] float32 -> x [B, C, H, W] float32.
    virtual torch::Tensor decode(torch::Tensor const& z) = 0;
};

} // namespace assay::model
