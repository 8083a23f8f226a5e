#include "model/gan.hpp"

#include <numeric>

namespace assay::model {

namespace nn = torch::nn;

namespace {

// Of R1: gamma / 2 times the squared gradient, images in [-1, 1] (Mescheder et al. 2018)
constexpr double kGamma = 1;

nn::Conv2d conv3x3(std::int64_t in, std::int64_t out, std::int64_t stride = 1) {
    return nn::Conv2d(nn::Conv2dOptions(in, out, 3).stride(stride).padding(1));
}

nn::GroupNorm group_norm(std::int64_t channels) {
    return nn::GroupNorm(std::gcd(channels, std::int64_t{8}), channels);
}

torch::Tensor leaky(torch::Tensor const& x) {
    return torch::leaky_relu(x, 0.2);
}

// While it lives, no gradient flows into a module's parameters (but through it)
class Frozen {
  public:
    explicit Frozen(nn::Module& module) : module_(module) { set(false); }
    ~Frozen() { set(true); }
    Frozen(Frozen const&) = delete;
    Frozen& operator=(Frozen const&) = delete;

  private:
    void set(bool requires_grad) {
        for (torch::Tensor& parameter : module_.parameters())
            parameter.set_requires_grad(requires_grad);
    }
    nn::Module& module_;
};

} // namespace

GanGenerator::GanGenerator(ImageShape const& image, std::int64_t width, std::int64_t latent,
                           std::int64_t classes)
    : image_(image),
      width_(width),
      classes_(classes),
      first_(register_module(
          "first", nn::Linear(latent + classes, 2 * width * (image.height / 4) * (image.width / 4)))),
      up_(register_module("up", conv3x3(2 * width, 4 * width))),
      hidden_(register_module("hidden", conv3x3(width, width))),
      head_(register_module("head", conv3x3(width, 4 * image.channels))),
      norm1_(register_module("norm1", group_norm(2 * width))),
      norm2_(register_module("norm2", group_norm(width))),
      norm3_(register_module("norm3", group_norm(width))) {}

torch::Tensor GanGenerator::forward(torch::Tensor const& z, torch::Tensor const& label) {
    torch::Tensor const condition = torch::one_hot(label, classes_).to(torch::kFloat32);
    torch::Tensor h = first_(torch::cat({z, condition}, 1));
    h = leaky(norm1_(h.reshape({-1, 2 * width_, image_.height / 4, image_.width / 4})));
    h = leaky(norm2_(torch::pixel_shuffle(up_(h), 2)));
    h = leaky(norm3_(hidden_(h)));
    return torch::pixel_shuffle(head_(h), 2).sigmoid();
}

GanDiscriminator::GanDiscriminator(ImageShape const& image, std::int64_t width, std::int64_t classes)
    : stem_(register_module("stem", conv3x3(4 * image.channels, width))),
      down_(register_module("down", conv3x3(width, 2 * width, 2))),
      last_(register_module("last", conv3x3(2 * width, 2 * width))),
      hidden_(register_module("hidden",
                              nn::Linear(2 * width * (image.height / 4) * (image.width / 4), 4 * width))),
      head_(register_module("head", nn::Linear(4 * width, classes))) {}

torch::Tensor GanDiscriminator::forward(torch::Tensor const& x, torch::Tensor const& label) {
    torch::Tensor h = leaky(stem_(torch::pixel_unshuffle(2 * x - 1, 2)));
    h = leaky(last_(leaky(down_(h))));
    h = head_(leaky(hidden_(h.flatten(1))));
    return h.gather(1, label.unsqueeze(1)).squeeze(1);
}

PenalisedLogits with_gradient_penalty(std::function<torch::Tensor(torch::Tensor const&)> const& logits_of,
                                      torch::Tensor const& x) {
    torch::AutoGradMode const gradients(true);
    torch::Tensor const input = x.detach().requires_grad_();
    torch::Tensor const logits = logits_of(input);
    torch::Tensor const gradient =
        torch::autograd::grad({logits.sum()}, {input}, {}, /*retain_graph=*/true, /*create_graph=*/true)[0];
    return {logits, gradient.square().flatten(1).sum(1)};
}

Gan::Gan(ImageShape const& image, std::int64_t width, std::int64_t latent, std::int64_t classes)
    : latent_(latent),
      generator_(register_module("generator", std::make_shared<GanGenerator>(image, width, latent, classes))),
      discriminator_(
          register_module("discriminator", std::make_shared<GanDiscriminator>(image, width, classes))) {}

SampleLoss Gan::loss(Batch const& batch, std::uint64_t draws) {
    check_unit_interval(batch.x);
    torch::Tensor const z = keyed_normals(batch.ids, {latent_}, draws, "latent", batch.x.device());
    torch::Tensor const fake = generator_->forward(z, batch.y);
    auto const [real, penalty] = with_gradient_penalty(
        [&](torch::Tensor const& x) { return discriminator_->forward(x, batch.y); }, batch.x);
    torch::Tensor const unreal = discriminator_->forward(fake.detach(), batch.y);
    // Gradients in images of [0, 1] are twice those in [-1, 1]
    torch::Tensor const discriminator_loss =
        torch::softplus(-real) + torch::softplus(unreal) + kGamma / 2 / 4 * penalty;
    Frozen const frozen(*discriminator_);
    torch::Tensor const generator_loss = torch::softplus(-discriminator_->forward(fake, batch.y));
    torch::Tensor const right = (real > 0).to(torch::kFloat32) + (unreal < 0).to(torch::kFloat32);
    return {discriminator_loss + generator_loss, right / 2};
}

torch::Tensor Gan::sample(torch::Tensor const& labels, std::vector<std::uint64_t> const& ids,
                          Sampling const& sampling) {
    torch::NoGradGuard const no_grad;
    return generator_->forward(keyed_normals(ids, {latent_}, sampling.seed, "latent", labels.device()),
                               labels);
}

torch::Tensor Gan::score(Batch const& batch, std::uint64_t /*seed*/, std::int64_t /*draws*/) {
    torch::NoGradGuard const no_grad;
    check_unit_interval(batch.x);
    return -discriminator_->forward(batch.x, batch.y);
}

std::shared_ptr<GeneratorNetwork> make_gan(ImageShape const& image, std::int64_t width, std::int64_t latent,
                                           std::int64_t classes) {
    return std::make_shared<Gan>(image, width, latent, classes);
}

} // namespace assay::model
