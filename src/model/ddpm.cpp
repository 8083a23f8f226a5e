// Class-conditional denoising diffusion
#include "assay/base/random.hpp"
#include "assay/model/diffusion.hpp"
#include "model/generator_families.hpp"
#include "model/unet.hpp"

namespace assay::model {

namespace {

class Ddpm : public GeneratorNetwork, public Diffusion {
  public:
    Ddpm(ImageShape const& image, std::int64_t width, std::int64_t timesteps, std::int64_t classes)
        : image_(image),
          classes_(classes),
          unet_(register_module("unet", std::make_shared<UNet>(image.channels, width, classes + 1))),
          alphas_cumprod_(cosine_schedule(timesteps)) {}

    SampleLoss loss(Batch const& batch, std::uint64_t draws) override {
        torch::Tensor const label = is_training() ? drop_labels(batch, draws) : batch.y;
        std::vector<std::int64_t> times;
        for (std::uint64_t id : batch.ids)
            times.push_back(static_cast<std::int64_t>(
                Random(draws, "time", id).below(static_cast<std::uint64_t>(alphas_cumprod_.size(0)))));
        return {loss_at(batch, torch::tensor(times, torch::kInt64).to(batch.x.device()), label, draws), {}};
    }

    torch::Tensor sample(torch::Tensor const& labels, std::vector<std::uint64_t> const& ids,
                         Sampling const& sampling) override {
        torch::Tensor const noise = keyed_normals(ids, {image_.channels, image_.height, image_.width},
                                                  sampling.seed, "latent", labels.device());
        return (ddim_sample(*this, noise, labels, sampling.steps, sampling.guidance) + 1) / 2;
    }

    // All samples at the same times, so that none is called hard for the times that it drew
    torch::Tensor score(Batch const& batch, std::uint64_t seed, std::int64_t draws) override {
        torch::NoGradGuard const no_grad;
        torch::Tensor sum = torch::zeros_like(batch.y, torch::kFloat32);
        for (std::int64_t draw = 0; draw < draws; ++draw) {
            std::int64_t const time = (2 * draw + 1) * alphas_cumprod_.size(0) / (2 * draws);
            sum += loss_at(batch, torch::full_like(batch.y, time), batch.y,
                           mix64(seed) ^ static_cast<std::uint64_t>(draw));
        }
        return sum / draws;
    }

    torch::Tensor eps(torch::Tensor const& x_t, torch::Tensor const& t, torch::Tensor const& label) override {
        return unet_->forward(x_t, t, condition(label, classes_));
    }

    torch::Tensor alphas_cumprod() override {
        // No buffer: training averages buffers over its units
        return alphas_cumprod_ = alphas_cumprod_.to(unet_->parameters()[0].device());
    }

  private:
    torch::Tensor loss_at(Batch const& batch, torch::Tensor const& t, torch::Tensor const& label,
                          std::uint64_t seed) {
        check_unit_interval(batch.x);
        torch::Tensor const noise =
            keyed_normals(batch.ids, batch.x.sizes().slice(1), seed, "diffusion noise", batch.x.device());
        return denoising_loss(*this, 2 * batch.x - 1, noise, t, label);
    }

    ImageShape image_;
    std::int64_t classes_;
    std::shared_ptr<UNet> unet_;
    torch::Tensor alphas_cumprod_;
};

} // namespace

std::shared_ptr<GeneratorNetwork> make_ddpm(ImageShape const& image, std::int64_t width,
                                            std::int64_t timesteps, std::int64_t classes) {
    return std::make_shared<Ddpm>(image, width, timesteps, classes);
}

} // namespace assay::model
