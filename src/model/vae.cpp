// A conditional variational autoencoder of two perceptrons
#include "assay/base/random.hpp"
#include "assay/model/autoencoder.hpp"
#include "model/generator_families.hpp"

namespace assay::model {

namespace nn = torch::nn;

namespace {

class Vae : public GeneratorNetwork, public Autoencoder {
  public:
    Vae(ImageShape const& image, std::int64_t width, std::int64_t latent, std::int64_t classes)
        : image_(image),
          latent_(latent),
          classes_(classes),
          encoder1_(register_module("encoder1", nn::Linear(image.elements() + classes + 1, width))),
          encoder2_(register_module("encoder2", nn::Linear(width, width))),
          posterior_(register_module("posterior", nn::Linear(width, 2 * latent))),
          decoder1_(register_module("decoder1", nn::Linear(latent + classes + 1, width))),
          decoder2_(register_module("decoder2", nn::Linear(width, width))),
          pixels_(register_module("pixels", nn::Linear(width, image.elements()))) {}

    SampleLoss loss(Batch const& batch, std::uint64_t draws) override {
        torch::Tensor const label = is_training() ? drop_labels(batch, draws) : batch.y;
        return {negative_elbo(batch, label, draws), {}};
    }

    torch::Tensor sample(torch::Tensor const& labels, std::vector<std::uint64_t> const& ids,
                         Sampling const& sampling) override {
        torch::NoGradGuard const no_grad;
        torch::Tensor const z = keyed_normals(ids, {latent_}, sampling.seed, "latent", labels.device());
        return image(pixel_logits(z, labels).sigmoid());
    }

    torch::Tensor score(Batch const& batch, std::uint64_t seed, std::int64_t draws) override {
        torch::NoGradGuard const no_grad;
        torch::Tensor sum = torch::zeros_like(batch.y, torch::kFloat32);
        for (std::int64_t draw = 0; draw < draws; ++draw)
            sum += negative_elbo(batch, batch.y, mix64(seed) ^ static_cast<std::uint64_t>(draw));
        return sum / draws;
    }

    // Without a label, so that the code says what class it is
    torch::Tensor encode(torch::Tensor const& x) override { return posterior(x, null_labels(x)).first; }
    torch::Tensor decode(torch::Tensor const& z) override {
        return image(pixel_logits(z, null_labels(z)).sigmoid());
    }

  private:
    // E_q[-ln p(x | z, label)] + KL(q(z | x, label) || N(0, 1)), by one draw of z (Kingma and Welling 2014,
    // Eq. 10): [B] in nat
    torch::Tensor negative_elbo(Batch const& batch, torch::Tensor const& label, std::uint64_t seed) {
        check_unit_interval(batch.x);
        auto const [mean, log_variance] = posterior(batch.x, label);
        torch::Tensor const noise = keyed_normals(batch.ids, {latent_}, seed, "posterior", batch.x.device());
        torch::Tensor const z = mean + (0.5 * log_variance).exp() * noise;
        torch::Tensor const reconstruction = torch::binary_cross_entropy_with_logits(
            pixel_logits(z, label), batch.x.flatten(1), {}, {}, at::Reduction::None);
        torch::Tensor const divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1);
        return reconstruction.sum(1) + divergence.sum(1);
    }

    // {mean, logarithm of the variance} of q(z | x, label), each [B, latent]
    std::pair<torch::Tensor, torch::Tensor> posterior(torch::Tensor const& x, torch::Tensor const& label) {
        torch::Tensor h = torch::cat({x.flatten(1), one_hot(label)}, 1);
        h = posterior_(torch::relu(encoder2_(torch::relu(encoder1_(h)))));
        return {h.slice(1, 0, latent_), h.slice(1, latent_, 2 * latent_)};
    }

    torch::Tensor pixel_logits(torch::Tensor const& z, torch::Tensor const& label) {
        torch::Tensor const h = torch::relu(decoder1_(torch::cat({z, one_hot(label)}, 1)));
        return pixels_(torch::relu(decoder2_(h)));
    }

    torch::Tensor one_hot(torch::Tensor const& label) const {
        return torch::one_hot(condition(label, classes_), classes_ + 1).to(torch::kFloat32);
    }
    static torch::Tensor null_labels(torch::Tensor const& like) {
        return torch::full({like.size(0)}, kNullLabel, like.options().dtype(torch::kInt64));
    }
    torch::Tensor image(torch::Tensor const& pixels) const {
        return pixels.reshape({-1, image_.channels, image_.height, image_.width});
    }

    ImageShape image_;
    std::int64_t latent_, classes_;
    nn::Linear encoder1_, encoder2_, posterior_, decoder1_, decoder2_, pixels_;
};

} // namespace

std::shared_ptr<GeneratorNetwork> make_vae(ImageShape const& image, std::int64_t width, std::int64_t latent,
                                           std::int64_t classes) {
    return std::make_shared<Vae>(image, width, latent, classes);
}

} // namespace assay::model
