#include "model/denoiser.hpp"

namespace assay::model {

namespace nn = torch::nn;

namespace {

constexpr std::int64_t kBlocks = 3;

// Two layers beside the identity; the conditions' embedding is added in between
class PerceptronBlock : public nn::Module {
  public:
    explicit PerceptronBlock(std::int64_t width)
        : norm_(register_module("norm", nn::LayerNorm(nn::LayerNormOptions({width})))),
          first_(register_module("first", nn::Linear(width, width))),
          second_(register_module("second", nn::Linear(width, width))) {}

    torch::Tensor forward(torch::Tensor const& h, torch::Tensor const& embedding) {
        return h + second_(torch::silu(first_(norm_(h)) + embedding));
    }

  private:
    nn::LayerNorm norm_;
    nn::Linear first_, second_;
};

class ResidualMlp : public Denoiser {
  public:
    ResidualMlp(std::int64_t elements, std::int64_t width, std::int64_t conditions)
        : time_(register_module("time", nn::Linear(width, width))),
          label_(register_module("label", nn::Embedding(conditions, width))),
          stem_(register_module("stem", nn::Linear(elements, width))),
          norm_(register_module("norm", nn::LayerNorm(nn::LayerNormOptions({width})))),
          head_(register_module("head", nn::Linear(width, elements))) {
        for (std::int64_t block = 0; block < kBlocks; ++block)
            blocks_.push_back(
                register_module(fmt::format("block{}", block), std::make_shared<PerceptronBlock>(width)));
    }

    torch::Tensor forward(torch::Tensor const& x, torch::Tensor const& t,
                          torch::Tensor const& condition) override {
        torch::Tensor const time = time_(sinusoids(t, time_->options.in_features()));
        torch::Tensor const embedding = torch::silu(time + label_(condition));
        torch::Tensor h = stem_(x.flatten(1));
        for (auto const& block : blocks_)
            h = block->forward(h, embedding);
        return head_(norm_(h)).reshape(x.sizes());
    }

  private:
    nn::Linear time_;
    nn::Embedding label_;
    nn::Linear stem_;
    nn::LayerNorm norm_;
    nn::Linear head_;
    std::vector<std::shared_ptr<PerceptronBlock>> blocks_;
};

} // namespace

std::shared_ptr<Denoiser> make_residual_mlp(std::int64_t elements, std::int64_t width,
                                            std::int64_t conditions) {
    return std::make_shared<ResidualMlp>(elements, width, conditions);
}

} // namespace assay::model
