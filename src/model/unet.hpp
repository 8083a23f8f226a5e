// The convolutional denoiser
#pragma once

#include "model/denoiser.hpp"

#include <cstdint>
#include <memory>

namespace assay::model {

// Two convolutions with a residual path; the conditions' embedding is added in between (Ho et al. 2020)
class ResidualBlock : public torch::nn::Module {
  public:
    ResidualBlock(std::int64_t in, std::int64_t out, std::int64_t embedding);
    torch::Tensor forward(torch::Tensor const& x, torch::Tensor const& embedding);

  private:
    torch::nn::GroupNorm norm1_, norm2_;
    torch::nn::Conv2d conv1_, conv2_, shortcut_{nullptr};
    torch::nn::Linear condition_;
};

// Every place of [B, C, H, W] looks at every other, one head, added to the input
class SelfAttention : public torch::nn::Module {
  public:
    explicit SelfAttention(std::int64_t channels);
    torch::Tensor forward(torch::Tensor const& x);

  private:
    torch::nn::GroupNorm norm_;
    torch::nn::Conv2d qkv_, out_;
};

// Works on squares of 2 x 2 pixels
// as channels, at a half and at a quarter of the sides: a pixel's own resolution would cost four times as
// much
class UNet : public Denoiser {
  public:
    UNet(std::int64_t channels, std::int64_t width, std::int64_t conditions);
    torch::Tensor forward(torch::Tensor const& x, torch::Tensor const& t,
                          torch::Tensor const& condition) override;

  private:
    torch::nn::Linear time1_, time2_;
    torch::nn::Embedding label_;
    torch::nn::Conv2d stem_, down_, up_, head_;
    torch::nn::GroupNorm norm_;
    std::shared_ptr<ResidualBlock> encoder_, middle1_, middle2_, decoder1_, decoder2_;
    std::shared_ptr<SelfAttention> attention_;
};

} // namespace assay::model
