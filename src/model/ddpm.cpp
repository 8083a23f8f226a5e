// Class-conditional denoising diffusion
#include "assay/base/error.hpp"
#include "assay/base/random.hpp"
#include "assay/model/diffusion_networks.hpp"
#include "model/generator_families.hpp"
#include "model/unet.hpp"

namespace assay::model {

namespace {

// What is learned are images whose squares of pool x pool pixels are averaged to one
class Ddpm : public DiffusionNetwork, public Redrawer {
  public:
    Ddpm(ImageShape const& image, std::int64_t pool, std::shared_ptr<Denoiser> const& denoiser,
         std::int64_t timesteps, std::int64_t classes)
        : image_(image),
          pool_(pool),
          classes_(classes),
          denoiser_(register_module("denoiser", denoiser)),
          alphas_cumprod_(cosine_schedule(timesteps)) {}

    torch::Tensor encode(torch::Tensor const& x) override {
        check_unit_interval(x);
        return 2 * (pool_ == 1 ? x : torch::avg_pool2d(x, pool_)) - 1;
    }

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
        return denoiser_->forward(x_t, t, condition(label, classes_));
    }

    torch::Tensor redraw_images(torch::Tensor const& x, torch::Tensor const& label,
                                std::vector<std::uint64_t> const& ids, Redraw const& how) override {
        if (pool_ != 1)
            fail(Exit::internal, "images averaged over {0}x{0} pixels cannot be redrawn as they were", pool_);
        return (redraw(*this, encode(x), label, ids, how) + 1) / 2;
    }

    torch::Tensor alphas_cumprod() override {
        // No buffer: training averages buffers over its units
        return alphas_cumprod_ = alphas_cumprod_.to(denoiser_->parameters()[0].device());
    }

  private:
    torch::Tensor loss_at(Batch const& batch, torch::Tensor const& t, torch::Tensor const& label,
                          std::uint64_t seed) {
        torch::Tensor const x = encode(batch.x);
        torch::Tensor const noise =
            keyed_normals(batch.ids, x.sizes().slice(1), seed, "diffusion noise", x.device());
        return denoising_loss(*this, x, noise, t, label);
    }

    ImageShape image_; // as it is learned
    std::int64_t pool_, classes_;
    std::shared_ptr<Denoiser> denoiser_;
    torch::Tensor alphas_cumprod_;
};

constexpr std::int64_t kTimesteps = 1000; // of an audited network: signals are named after times of 1,000

// The shape after averaging
ImageShape pooled_shape(job::Network const& train, data::DatasetInfo const& info) {
    auto const& shape = info.sample_shape;
    auto const pool = static_cast<std::uint64_t>(train.pooling());
    std::uint64_t const unit = train.network == "ddpm" ? 4 * pool : pool; // the U-Net halves its sides twice
    if (shape.size() != 3 || shape[1] % unit != 0 || shape[2] % unit != 0)
        fail(Exit::usage,
             "{0}.network=\"{1}\" (needs images [C, H, W] with sides that {2} divides, for "
             "{0}.pool={3}; samples are {4}). Change pool, or bring the samples to another shape",
             train.section, train.network, unit, train.pooling(), fmt::join(shape, "x"));
    auto const side = [&](std::size_t axis, std::uint64_t by) {
        return static_cast<std::int64_t>(shape[axis] / by);
    };
    return {side(0, 1), side(1, pool), side(2, pool)};
}

} // namespace

std::shared_ptr<GeneratorNetwork> make_ddpm(ImageShape const& image, std::int64_t width,
                                            std::int64_t timesteps, std::int64_t classes) {
    return std::make_shared<Ddpm>(image, 1, std::make_shared<UNet>(image.channels, width, classes + 1),
                                  timesteps, classes);
}

std::shared_ptr<DiffusionNetwork> make_diffusion(job::Network const& train, data::DatasetInfo const& info,
                                                 std::int64_t classes, std::uint64_t seed) {
    ImageShape const image = pooled_shape(train, info);
    std::shared_ptr<Denoiser> denoiser;
    if (train.network == "ddpm")
        denoiser = std::make_shared<UNet>(image.channels, train.width ? train.width : 32, classes + 1);
    else {
        if (train.width % 2 != 0)
            fail(Exit::usage,
                 "{}.width={} (ddpm_mlp tells times by pairs of a sine and a cosine). Use an even "
                 "number",
                 train.section, train.width);
        denoiser = make_residual_mlp(image.elements(), train.width ? train.width : 512, classes + 1);
    }
    auto network = std::make_shared<Ddpm>(image, train.pooling(), denoiser, kTimesteps, classes);
    initialise(*network, seed);
    return network;
}

} // namespace assay::model
