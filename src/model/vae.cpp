// A conditional variational autoencoder of two perceptrons
#include "assay/base/random.hpp"
#include "assay/model/encoder.hpp"
#include "assay/model/redrawer.hpp"
#include "model/generator_families.hpp"
#include "model/layers.hpp"

namespace assay::model {

namespace nn = torch::nn;

namespace {

// p(x | z, label) p(z | label) with a normal prior per class, learned. Under one prior for all, the code says
// what class an image is, and samples are of other classes than they should be. The encoder sees no label:
// the image says it, and encode() has none
class Vae : public GeneratorNetwork, public Encoder, public Redrawer {
  public:
    Vae(ImageShape const& image, std::int64_t width, std::int64_t latent, std::int64_t classes)
        : image_(image),
          latent_(latent),
          classes_(classes),
          encoder1_(register_module("encoder1", nn::Linear(image.elements(), width))),
          encoder2_(register_module("encoder2", nn::Linear(width, width))),
          posterior_(register_module("posterior", nn::Linear(width, 2 * latent))),
          decoder1_(register_module("decoder1", nn::Linear(latent + classes, width))),
          decoder2_(register_module("decoder2", nn::Linear(width, width))),
          pixels_(register_module("pixels", nn::Linear(width, image.elements()))),
          prior_(register_parameter("prior", torch::empty({classes, 2 * latent}))) {}

    SampleLoss loss(Batch const& batch, std::uint64_t draws) override {
        return {negative_elbo(batch, draws), {}};
    }

    torch::Tensor sample(torch::Tensor const& labels, std::vector<std::uint64_t> const& ids,
                         Sampling const& sampling) override {
        torch::NoGradGuard const no_grad;
        torch::Tensor const noise = keyed_normals(ids, {latent_}, sampling.seed, "latent", labels.device());
        return images(prior(labels).at(noise), labels);
    }

    torch::Tensor score(Batch const& batch, std::uint64_t seed, std::int64_t draws) override {
        torch::NoGradGuard const no_grad;
        torch::Tensor sum = torch::zeros_like(batch.y, torch::kFloat32);
        for (std::int64_t draw = 0; draw < draws; ++draw)
            sum += negative_elbo(batch, mix64(seed) ^ static_cast<std::uint64_t>(draw));
        return sum / draws;
    }

    torch::Tensor encode(torch::Tensor const& x) override { return posterior(x).mean; }

    // What the code's mean is decoded to: nothing is drawn
    torch::Tensor redraw_images(torch::Tensor const& x, torch::Tensor const& label,
                                std::vector<std::uint64_t> const& /*ids*/, Redraw const& /*how*/) override {
        torch::NoGradGuard const no_grad;
        check_unit_interval(x);
        return images(encode(x), label);
    }

  private:
    // Independent normals [B, latent]
    struct Normal {
        torch::Tensor mean, log_variance;
        torch::Tensor at(torch::Tensor const& noise) const {
            return mean + (0.5 * log_variance).exp() * noise;
        }
    };

    // E_q[-ln p(x | z, label)] + KL(q(z | x) || p(z | label)), by one draw of z (Kingma and Welling 2014,
    // Eq. 10): [B] in nat
    torch::Tensor negative_elbo(Batch const& batch, std::uint64_t seed) {
        check_unit_interval(batch.x);
        Normal const q = posterior(batch.x), p = prior(batch.y);
        torch::Tensor const noise = keyed_normals(batch.ids, {latent_}, seed, "posterior", batch.x.device());
        torch::Tensor const reconstruction = torch::binary_cross_entropy_with_logits(
            pixel_logits(q.at(noise), batch.y), batch.x.flatten(1), {}, {}, at::Reduction::None);
        torch::Tensor const ratio = q.log_variance - p.log_variance; // logarithm of the variances'
        torch::Tensor const divergence =
            0.5 * (ratio.exp() + (q.mean - p.mean).square() / p.log_variance.exp() - 1 - ratio);
        return reconstruction.sum(1) + divergence.sum(1);
    }

    Normal posterior(torch::Tensor const& x) {
        torch::Tensor const h = torch::relu(encoder2_(torch::relu(encoder1_(x.flatten(1)))));
        return halves(posterior_(h));
    }
    Normal prior(torch::Tensor const& label) const { return halves(prior_.index_select(0, label)); }
    Normal halves(torch::Tensor const& both) const {
        return {both.slice(1, 0, latent_), both.slice(1, latent_, 2 * latent_)};
    }

    torch::Tensor images(torch::Tensor const& z, torch::Tensor const& label) {
        return pixel_logits(z, label).sigmoid().reshape({-1, image_.channels, image_.height, image_.width});
    }
    torch::Tensor pixel_logits(torch::Tensor const& z, torch::Tensor const& label) {
        torch::Tensor const condition = torch::one_hot(label, classes_).to(torch::kFloat32);
        torch::Tensor const h = torch::relu(decoder1_(torch::cat({z, condition}, 1)));
        return pixels_(torch::relu(decoder2_(h)));
    }

    ImageShape image_;
    std::int64_t latent_, classes_;
    nn::Linear encoder1_, encoder2_, posterior_, decoder1_, decoder2_, pixels_;
    torch::Tensor prior_; // [classes, 2 latent]
};

} // namespace

std::shared_ptr<GeneratorNetwork> make_vae(ImageShape const& image, std::int64_t width, std::int64_t latent,
                                           std::int64_t classes) {
    return std::make_shared<Vae>(image, width, latent, classes);
}

} // namespace assay::model
