#include "assay/model/autoregressive_networks.hpp"

#include "assay/base/error.hpp"
#include "model/layers.hpp"

namespace assay::model {

namespace nn = torch::nn;

namespace {

// A linear layer whose units see only inputs of no higher degree than their own, with a bias per condition
class MaskedLinear : public nn::Module {
  public:
    MaskedLinear(torch::Tensor const& in_degrees, torch::Tensor const& out_degrees, std::int64_t conditions)
        : weight_(register_parameter("weight", torch::empty({out_degrees.size(0), in_degrees.size(0)}))),
          bias_(register_parameter("bias", torch::empty({conditions, out_degrees.size(0)}))),
          mask_((out_degrees.unsqueeze(1) >= in_degrees.unsqueeze(0)).to(torch::kFloat32)) {}

    torch::Tensor forward(torch::Tensor const& x, torch::Tensor const& condition) {
        mask_ = mask_.to(weight_.device()); // no buffer: training averages buffers over its units
        return x.matmul((weight_ * mask_).t()) + bias_.index_select(0, condition);
    }

  private:
    torch::Tensor weight_, bias_, mask_;
};

// Token t has degree t + 1 as an input and t as an output; `width` hidden units have degrees 0 to T - 1 in
// equal numbers. What a path of rising degrees leads to then depends on earlier tokens alone
class Made : public AutoregressiveNetwork {
  public:
    Made(PixelTokens const& pixels, std::int64_t width, std::int64_t classes)
        : AutoregressiveNetwork(pixels), levels_(pixels.levels), classes_(classes) {
        std::int64_t const tokens = pixels.count();
        torch::Tensor const token = torch::arange(tokens).repeat_interleave(levels_);
        torch::Tensor const hidden =
            torch::arange(width).mul(tokens).div(width, /*rounding_mode=*/"floor").to(torch::kInt64);
        first_ = register_module("first", std::make_shared<MaskedLinear>(token + 1, hidden, classes + 1));
        second_ = register_module("second", std::make_shared<MaskedLinear>(hidden, hidden, classes + 1));
        head_ = register_module("head", std::make_shared<MaskedLinear>(hidden, token, classes + 1));
    }

    torch::Tensor logits(torch::Tensor const& tokens, torch::Tensor const& label) override {
        torch::Tensor const row = condition(label, classes_);
        torch::Tensor const x = torch::one_hot(tokens, levels_).to(torch::kFloat32).flatten(1);
        torch::Tensor const h = torch::relu(second_->forward(torch::relu(first_->forward(x, row)), row));
        return head_->forward(h, row).reshape({tokens.size(0), tokens.size(1), levels_});
    }

  private:
    std::int64_t levels_, classes_;
    std::shared_ptr<MaskedLinear> first_, second_, head_;
};

constexpr std::int64_t kHeads = 4;
constexpr std::int64_t kBlocks = 4;

// Pre-norm block of a decoder: causal self-attention, then a two-layer perceptron, each added to its input
class DecoderBlock : public nn::Module {
  public:
    explicit DecoderBlock(std::int64_t width)
        : norm1_(register_module("norm1", nn::LayerNorm(nn::LayerNormOptions({width})))),
          norm2_(register_module("norm2", nn::LayerNorm(nn::LayerNormOptions({width})))),
          qkv_(register_module("qkv", nn::Linear(width, 3 * width))),
          out_(register_module("out", nn::Linear(width, width))),
          hidden_(register_module("hidden", nn::Linear(width, 4 * width))),
          back_(register_module("back", nn::Linear(4 * width, width))) {}

    // x [B, T, width]; mask [T, T]: 0 where a row may look, else -infinity
    torch::Tensor forward(torch::Tensor const& x, torch::Tensor const& mask) {
        torch::Tensor const h = x + attention(norm1_(x), mask);
        return h + back_(torch::gelu(hidden_(norm2_(h))));
    }

  private:
    torch::Tensor attention(torch::Tensor const& x, torch::Tensor const& mask) {
        std::int64_t const batch = x.size(0), tokens = x.size(1), width = x.size(2);
        // [3, B, heads, T, width/heads]
        torch::Tensor const parts =
            qkv_(x).reshape({batch, tokens, 3, kHeads, width / kHeads}).permute({2, 0, 3, 1, 4});
        double const scale = 1 / std::sqrt(static_cast<double>(width / kHeads));
        torch::Tensor const scores = parts[0].matmul(parts[1].transpose(2, 3)) * scale + mask;
        torch::Tensor const mixed = scores.softmax(3).matmul(parts[2]);
        return out_(mixed.transpose(1, 2).reshape({batch, tokens, width}));
    }

    nn::LayerNorm norm1_, norm2_;
    nn::Linear qkv_, out_, hidden_, back_;
};

class Transformer : public AutoregressiveNetwork {
  public:
    Transformer(PixelTokens const& pixels, std::int64_t width, std::int64_t classes)
        : AutoregressiveNetwork(pixels),
          classes_(classes),
          token_(register_module("token", nn::Embedding(pixels.levels, width))),
          label_(register_module("label", nn::Embedding(classes + 1, width))),
          position_(register_parameter("position", torch::empty({pixels.count(), width}))),
          norm_(register_module("norm", nn::LayerNorm(nn::LayerNormOptions({width})))),
          head_(register_module("head", nn::Linear(width, pixels.levels))) {
        for (std::int64_t block = 0; block < kBlocks; ++block)
            blocks_.push_back(
                register_module(fmt::format("block{}", block), std::make_shared<DecoderBlock>(width)));
    }

    // Row t of the input is token t - 1, row 0 the label: shifted by one, a causal mask hides token t
    torch::Tensor logits(torch::Tensor const& tokens, torch::Tensor const& label) override {
        std::int64_t const count = tokens.size(1);
        torch::Tensor const start = label_(condition(label, classes_)).unsqueeze(1);
        torch::Tensor h = torch::cat({start, token_(tokens.slice(1, 0, count - 1))}, 1) + position_;
        torch::Tensor const mask = torch::full({count, count}, -INFINITY, h.options()).triu(1);
        for (auto const& block : blocks_)
            h = block->forward(h, mask);
        return head_(norm_(h));
    }

  private:
    std::int64_t classes_;
    nn::Embedding token_, label_;
    torch::Tensor position_;
    nn::LayerNorm norm_;
    nn::Linear head_;
    std::vector<std::shared_ptr<DecoderBlock>> blocks_;
};

PixelTokens pixel_tokens(job::Network const& train, data::DatasetInfo const& info) {
    auto const& shape = info.sample_shape;
    auto const pool = static_cast<std::uint64_t>(train.pooling());
    if (shape.size() != 3 || shape[1] % pool != 0 || shape[2] % pool != 0)
        fail(Exit::usage,
             "{0}.network=\"{1}\" (needs images [C, H, W] with sides that {0}.pool={2} divides; "
             "samples are {3}). Change pool, or bring the samples to another shape",
             train.section, train.network, train.pooling(), fmt::join(shape, "x"));
    auto const side = [&](std::size_t axis) { return static_cast<std::int64_t>(shape[axis]); };
    return {side(0), side(1), side(2), train.pooling(), train.levels};
}

} // namespace

torch::Tensor AutoregressiveNetwork::tokenize(torch::Tensor const& x) {
    double const low = x.min().item<double>(), high = x.max().item<double>();
    if (low < 0 || high > 1)
        fail(Exit::data,
             "samples reach from {} to {} (the built-in tokenizer cuts [0, 1] into {} levels). Scale them, "
             "and "
             "leave dataset.mean and dataset.deviation out",
             low, high, pixels_.levels);
    torch::Tensor const pooled = torch::avg_pool2d(x, pixels_.pool);
    torch::Tensor const levels = pooled.permute({0, 2, 3, 1}).flatten(1).mul(pixels_.levels).floor();
    return levels.clamp_max(pixels_.levels - 1).to(torch::kInt64);
}

SampleLoss AutoregressiveNetwork::loss(Batch const& batch, std::uint64_t draws) {
    torch::Tensor const label = is_training() ? drop_labels(batch, draws) : batch.y;
    torch::Tensor const tokens = tokenize(batch.x);
    torch::Tensor const scores = logits(tokens, label);
    torch::Tensor const losses =
        nn::functional::cross_entropy(scores.flatten(0, 1), tokens.flatten(),
                                      nn::functional::CrossEntropyFuncOptions().reduction(torch::kNone));
    return {losses.reshape(tokens.sizes()).mean(1), scores.argmax(2).eq(tokens).to(torch::kFloat32).mean(1)};
}

std::shared_ptr<AutoregressiveNetwork> make_autoregressive(job::Network const& train,
                                                           data::DatasetInfo const& info,
                                                           std::int64_t classes, std::uint64_t seed) {
    PixelTokens const pixels = pixel_tokens(train, info);
    std::shared_ptr<AutoregressiveNetwork> network;
    if (train.network == "made") {
        network = std::make_shared<Made>(pixels, train.width ? train.width : 768, classes);
    } else {
        if (train.width % kHeads != 0)
            fail(Exit::usage, "{}.width={} (a transformer has {} heads of equal width). Use a multiple",
                 train.section, train.width, kHeads);
        network = std::make_shared<Transformer>(pixels, train.width ? train.width : 128, classes);
    }
    initialise(*network, seed);
    return network;
}

} // namespace assay::model
