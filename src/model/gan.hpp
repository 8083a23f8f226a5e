// A conditional generative adversarial network. Here, not in the .cpp, since tests look at its two halves
#pragma once

#include "model/generator_families.hpp"
#include "model/layers.hpp"

#include <functional>

namespace assay::model {

// z [B, latent], label [B] -> images in [0, 1]
class GanGenerator : public torch::nn::Module {
  public:
    GanGenerator(ImageShape const& image, std::int64_t width, std::int64_t latent, std::int64_t classes);
    torch::Tensor forward(torch::Tensor const& z, torch::Tensor const& label);

  private:
    ImageShape image_;
    std::int64_t width_, classes_;
    torch::nn::Linear first_;
    torch::nn::Conv2d up_, hidden_, head_;
    torch::nn::GroupNorm norm1_, norm2_, norm3_;
};

// x [B, C, H, W] in [0, 1], label [B] -> [B] logit of "real": one output per class, the label's is taken
// (Mescheder et al. 2018)
class GanDiscriminator : public torch::nn::Module {
  public:
    GanDiscriminator(ImageShape const& image, std::int64_t width, std::int64_t classes);
    torch::Tensor forward(torch::Tensor const& x, torch::Tensor const& label);

  private:
    torch::nn::Conv2d stem_, down_, last_;
    torch::nn::Linear hidden_, head_;
};

class Gan : public GeneratorNetwork {
  public:
    Gan(ImageShape const& image, std::int64_t width, std::int64_t latent, std::int64_t classes);

    // The discriminator's loss plus the generator's. Neither has a gradient in the other's parameters, so
    // one gradient of the sum updates both at once, each by its own loss
    SampleLoss loss(Batch const& batch, std::uint64_t draws) override;
    torch::Tensor sample(torch::Tensor const& labels, std::vector<std::uint64_t> const& ids,
                         Sampling const& sampling) override;
    torch::Tensor score(Batch const& batch, std::uint64_t seed, std::int64_t draws) override;

    GanGenerator& generator() { return *generator_; }
    GanDiscriminator& discriminator() { return *discriminator_; }

  private:
    std::int64_t latent_;
    std::shared_ptr<GanGenerator> generator_;
    std::shared_ptr<GanDiscriminator> discriminator_;
};

// {logits [B], squared length [B] of each logit's gradient in its sample}, both differentiable in the
// parameters of `logits_of`, also where gradients are switched off
struct PenalisedLogits {
    torch::Tensor logits, penalty;
};
PenalisedLogits with_gradient_penalty(std::function<torch::Tensor(torch::Tensor const&)> const& logits_of,
                                      torch::Tensor const& x);

} // namespace assay::model
