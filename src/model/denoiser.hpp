// The network inside a built-in diffusion
#pragma once

#include "model/layers.hpp"

#include <cstdint>
#include <memory>

namespace assay::model {

// x_t [B, C, H, W], t [B] int64, condition [B] in [0, conditions) -> the noise in x_t, [B, C, H, W]
class Denoiser : public torch::nn::Module {
  public:
    virtual torch::Tensor forward(torch::Tensor const& x, torch::Tensor const& t,
                                  torch::Tensor const& condition) = 0;
};

// [B] -> [B, size]: sines and cosines of wave lengths from 2 pi to 10,000 times that (Vaswani et al. 2017)
torch::Tensor sinusoids(torch::Tensor const& t, std::int64_t size);

// Residual perceptron over all values of a sample: memorises a thousand small images within minutes on a CPU
std::shared_ptr<Denoiser> make_residual_mlp(std::int64_t elements, std::int64_t width,
                                            std::int64_t conditions);

} // namespace assay::model
