#include "model/unet.hpp"

#include <cmath>
#include <numeric>

namespace assay::model {

namespace nn = torch::nn;

namespace {

nn::Conv2d conv(std::int64_t in, std::int64_t out, std::int64_t size, std::int64_t stride = 1) {
    return nn::Conv2d(nn::Conv2dOptions(in, out, size).stride(stride).padding(size / 2));
}

nn::GroupNorm group_norm(std::int64_t channels) {
    return nn::GroupNorm(std::gcd(channels, std::int64_t{8}), channels);
}

} // namespace

torch::Tensor sinusoids(torch::Tensor const& t, std::int64_t size) {
    torch::Tensor const rates =
        torch::exp(torch::arange(size / 2, torch::dtype(torch::kFloat32).device(t.device())) *
                   (-std::log(10000.0) / static_cast<double>(size / 2)));
    torch::Tensor const angles = t.to(torch::kFloat32).unsqueeze(1) * rates;
    return torch::cat({angles.sin(), angles.cos()}, 1);
}

ResidualBlock::ResidualBlock(std::int64_t in, std::int64_t out, std::int64_t embedding)
    : norm1_(register_module("norm1", group_norm(in))),
      norm2_(register_module("norm2", group_norm(out))),
      conv1_(register_module("conv1", conv(in, out, 3))),
      conv2_(register_module("conv2", conv(out, out, 3))),
      condition_(register_module("condition", nn::Linear(embedding, out))) {
    if (in != out)
        shortcut_ = register_module("shortcut", conv(in, out, 1));
}

torch::Tensor ResidualBlock::forward(torch::Tensor const& x, torch::Tensor const& embedding) {
    torch::Tensor const h = conv1_(torch::silu(norm1_(x))) + condition_(embedding).unsqueeze(2).unsqueeze(3);
    return conv2_(torch::silu(norm2_(h))) + (shortcut_ ? shortcut_(x) : x);
}

SelfAttention::SelfAttention(std::int64_t channels)
    : norm_(register_module("norm", group_norm(channels))),
      qkv_(register_module("qkv", conv(channels, 3 * channels, 1))),
      out_(register_module("out", conv(channels, channels, 1))) {}

torch::Tensor SelfAttention::forward(torch::Tensor const& x) {
    std::int64_t const channels = x.size(1);
    auto const parts = qkv_(norm_(x)).flatten(2).chunk(3, 1); // 3 of [B, C, H W]
    torch::Tensor const scores =
        parts[0].transpose(1, 2).matmul(parts[1]) / std::sqrt(static_cast<double>(channels));
    torch::Tensor const mixed = parts[2].matmul(scores.softmax(2).transpose(1, 2));
    return x + out_(mixed.reshape(x.sizes()));
}

UNet::UNet(std::int64_t channels, std::int64_t width, std::int64_t conditions)
    : time1_(register_module("time1", nn::Linear(2 * width, 4 * width))),
      time2_(register_module("time2", nn::Linear(4 * width, 4 * width))),
      label_(register_module("label", nn::Embedding(conditions, 4 * width))),
      stem_(register_module("stem", conv(4 * channels, width, 3))),
      down_(register_module("down", conv(width, 2 * width, 3, 2))),
      up_(register_module("up", conv(2 * width, 4 * width, 3))),
      head_(register_module("head", conv(width, 4 * channels, 3))),
      norm_(register_module("norm", group_norm(width))),
      encoder_(register_module("encoder", std::make_shared<ResidualBlock>(width, width, 4 * width))),
      middle1_(register_module("middle1", std::make_shared<ResidualBlock>(2 * width, 2 * width, 4 * width))),
      middle2_(register_module("middle2", std::make_shared<ResidualBlock>(2 * width, 2 * width, 4 * width))),
      decoder1_(register_module("decoder1", std::make_shared<ResidualBlock>(2 * width, width, 4 * width))),
      decoder2_(register_module("decoder2", std::make_shared<ResidualBlock>(width, width, 4 * width))),
      attention_(register_module("attention", std::make_shared<SelfAttention>(2 * width))) {}

torch::Tensor UNet::forward(torch::Tensor const& x, torch::Tensor const& t, torch::Tensor const& condition) {
    torch::Tensor const time = time2_(torch::silu(time1_(sinusoids(t, time1_->options.in_features()))));
    torch::Tensor const embedding = torch::silu(time + label_(condition));
    torch::Tensor const half = encoder_->forward(stem_(torch::pixel_unshuffle(x, 2)), embedding);
    torch::Tensor quarter = middle1_->forward(down_(half), embedding);
    quarter = middle2_->forward(attention_->forward(quarter), embedding);
    torch::Tensor const up = torch::pixel_shuffle(up_(quarter), 2);
    torch::Tensor const h =
        decoder2_->forward(decoder1_->forward(torch::cat({up, half}, 1), embedding), embedding);
    return torch::pixel_shuffle(head_(torch::silu(norm_(h))), 2);
}

} // namespace assay::model
