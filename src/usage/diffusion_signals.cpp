#include "assay/usage/diffusion_signals.hpp"

#include "assay/base/error.hpp"
#include "usage/row_minima.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <tuple>

namespace assay::usage {

namespace {

// Mean and norm over all of a sample: [B, ...] -> [B] float64
torch::Tensor row_mean(torch::Tensor const& values) {
    return values.to(torch::kFloat64).flatten(1).mean(1);
}

torch::Tensor row_norm(torch::Tensor const& values, double p = 2) {
    return values.to(torch::kFloat64).flatten(1).norm(p, 1);
}

// [B] shaped to scale the rows of `like`
torch::Tensor per_row(torch::Tensor const& values, torch::Tensor const& like) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
    shape[0] = values.size(0);
    return values.to(like.scalar_type()).reshape(shape);
}

void require_gradient(torch::Tensor const& loss, std::string_view signal) {
    if (!loss.requires_grad())
        fail(Exit::data,
             "the model's forward(x_t, t, label) gives no gradient by x_t (needed for {}*). Save it without "
             "no_grad and detach, or leave those signals out of usage.signals",
             signal);
}

enum class Condition { label, null };

// Of the noise that the model sees, [B] each
struct NoiseError {
    torch::Tensor mean_square, norm;
};

// A batch on its model. Times are of 1,000 steps throughout
class Probe {
  public:
    Probe(model::Diffusion& model, model::Batch const& batch, std::uint64_t seed)
        : model_(model),
          ids_(batch.ids),
          seed_(seed),
          label_(batch.y),
          null_(torch::full_like(batch.y, model::kNullLabel)) {
        torch::NoGradGuard const no_grad;
        latent_ = model.encode(batch.x);
        alphas_ = model.alphas_cumprod().to(torch::kCPU, torch::kFloat64);
    }

    torch::Tensor const& latent() const { return latent_; }
    torch::Tensor const& label() const { return label_; }

    double alpha(std::int64_t time) const { return alphas_[step(time)].item<double>(); }

    torch::Tensor noise(std::int64_t time, std::int64_t draw) const {
        return normals(fmt::format("diffusion signal {}/{}", time, draw));
    }

    // To a neighbour of the sample
    torch::Tensor shift(std::int64_t draw) const { return normals(fmt::format("neighbour {}", draw)); }

    torch::Tensor noisy(torch::Tensor const& z, torch::Tensor const& noise, std::int64_t time) const {
        return std::sqrt(alpha(time)) * z + std::sqrt(1 - alpha(time)) * noise;
    }

    torch::Tensor eps(torch::Tensor const& z_t, std::int64_t time, torch::Tensor const& label) const {
        return model_.eps(z_t, torch::full_like(label_, step(time)), label);
    }

    // What is wrong in the noise that the model sees in z at a time: [B, ...]
    torch::Tensor error(torch::Tensor const& z, torch::Tensor const& noise, std::int64_t time,
                        torch::Tensor const& label) const {
        return eps(noisy(z, noise, time), time, label) - noise;
    }

    // The same of the sample itself, measured; several signals rest on it
    NoiseError const& own_error(std::int64_t time, std::int64_t draw, Condition condition) {
        auto const [entry, is_new] = own_errors_.try_emplace({time, draw, condition});
        if (is_new) {
            torch::Tensor const found =
                error(latent_, noise(time, draw), time, condition == Condition::label ? label_ : null_);
            entry->second = {row_mean(found.square()), row_norm(found)};
        }
        return entry->second;
    }

    RowMinima const& noise_fit() {
        if (!noise_fit_.value.defined())
            noise_fit_ = fit_noise();
        return noise_fit_;
    }

  private:
    torch::Tensor normals(std::string const& purpose) const {
        return model::keyed_normals(ids_, latent_.sizes().slice(1), seed_, purpose, latent_.device());
    }

    std::int64_t step(std::int64_t time) const { return time * alphas_.size(0) / 1000; }

    // How well, and how far away, a shift of z_t makes the model see the noise
    RowMinima fit_noise() const {
        constexpr std::int64_t kTime = 100;
        constexpr int kSteps = 5;
        torch::Tensor const drawn = noise(kTime, 0), z_t = noisy(latent_, drawn, kTime);
        auto const loss = [&](torch::Tensor const& shift) {
            torch::Tensor const left = row_norm(eps(z_t + shift, kTime, label_) - drawn);
            if (torch::GradMode::is_enabled())
                require_gradient(left, "noise_fit");
            return left;
        };
        return minimise(loss, z_t.sizes(), z_t.options(), kSteps);
    }

    model::Diffusion& model_;
    std::vector<std::uint64_t> ids_;
    std::uint64_t seed_;
    torch::Tensor label_, null_, latent_, alphas_;
    std::map<std::tuple<std::int64_t, std::int64_t, Condition>, NoiseError> own_errors_;
    RowMinima noise_fit_;
};

// Mean over draws of a measure of the error
torch::Tensor mean_over_draws(std::int64_t draws, auto const& measure) {
    torch::Tensor sum = measure(0);
    for (std::int64_t draw = 1; draw < draws; ++draw)
        sum = sum + measure(draw);
    return sum / draws;
}

torch::Tensor log_loss(Probe& probe, std::int64_t time, Condition condition) {
    constexpr std::int64_t kDraws = 3;
    return mean_over_draws(
               kDraws, [&](std::int64_t draw) { return probe.own_error(time, draw, condition).mean_square; })
        .clamp_min(1e-30)
        .log();
}

// From the sample scaled as at that time, without noise, back in one step
torch::Tensor log_reconstruction_error(Probe const& probe, std::int64_t time) {
    double const alpha = probe.alpha(time);
    torch::Tensor const scaled = std::sqrt(alpha) * probe.latent();
    torch::Tensor const error = std::sqrt((1 - alpha) / alpha) * probe.eps(scaled, time, probe.label());
    return row_mean(error.square()).clamp_min(1e-30).log();
}

torch::Tensor loss_norm(Probe& probe, std::int64_t time) {
    constexpr std::int64_t kDraws = 5;
    return mean_over_draws(
        kDraws, [&](std::int64_t draw) { return probe.own_error(time, draw, Condition::label).norm; });
}

// The deterministic step between two times (Song et al. 2021, Eq. 12)
torch::Tensor ddim_step(Probe const& probe, torch::Tensor const& z, std::int64_t from, std::int64_t to) {
    torch::Tensor const eps = probe.eps(z, from, probe.label());
    double const alpha = probe.alpha(from), next = probe.alpha(to);
    torch::Tensor const sample = (z - std::sqrt(1 - alpha) * eps) / std::sqrt(alpha);
    return std::sqrt(next) * sample + std::sqrt(1 - next) * eps;
}

// Up to time 100 in steps of 10; then how far one step onward and back leads away
torch::Tensor secmi(Probe const& probe) {
    constexpr std::int64_t kTime = 100, kStep = 10;
    torch::Tensor z = probe.latent();
    for (std::int64_t time = 0; time < kTime; time += kStep)
        z = ddim_step(probe, z, time, time + kStep);
    torch::Tensor const onward = ddim_step(probe, z, kTime, kTime + kStep);
    return row_norm(z - ddim_step(probe, onward, kTime + kStep, kTime));
}

// The noise that the model sees in the clean sample, added and looked for again
torch::Tensor pia(Probe const& probe, bool normalised) {
    constexpr std::int64_t kTime = 200;
    constexpr double kNorm = 5;
    torch::Tensor own = probe.eps(probe.latent(), 0, probe.label());
    if (normalised) { // scale as in the paper's Eq. 10; the mean size of normal noise is its inverse
        torch::Tensor const scale = std::sqrt(std::numbers::pi / 2) * static_cast<double>(own[0].numel()) /
                                    row_norm(own, 1).clamp_min(1e-30);
        own = own * per_row(scale, own);
    }
    return row_norm(probe.error(probe.latent(), own, kTime, probe.label()), kNorm);
}

// The fifth of z_t to which the loss is most sensitive, replaced by noise in the clean sample: can the model
// tell the noise from what was there?
torch::Tensor gradient_mask(Probe const& probe, std::int64_t time) {
    torch::Tensor const noise = probe.noise(time, 0);
    torch::Tensor gradient;
    {
        torch::AutoGradMode const with_gradients(true);
        torch::Tensor const z_t = probe.noisy(probe.latent(), noise, time).detach().requires_grad_();
        torch::Tensor const loss = row_norm(probe.eps(z_t, time, probe.label()) - noise).sum();
        require_gradient(loss, "gradient_mask");
        gradient = torch::autograd::grad({loss}, {z_t}).front().abs().flatten(1);
    }
    std::int64_t const count = std::max<std::int64_t>(1, gradient.size(1) / 5);
    torch::Tensor const masked = std::get<1>(gradient.topk(count, 1));
    torch::Tensor const flat_noise = noise.flatten(1), flat = probe.latent().flatten(1);
    torch::Tensor const changed =
        flat.scatter(1, masked, flat_noise.gather(1, masked)).reshape(noise.sizes());
    torch::Tensor const seen = probe.eps(changed, time, probe.label()).flatten(1);
    return row_norm((flat_noise - flat - seen).gather(1, masked));
}

// share (gain of the label) - (1 - share) (loss under it); already larger for members
torch::Tensor clid(Probe& probe, double share) {
    constexpr std::int64_t kDraws = 3;
    torch::Tensor sum = torch::zeros_like(probe.label(), torch::kFloat64);
    for (std::int64_t time : {440, 450, 460})
        sum += mean_over_draws(kDraws, [&](std::int64_t draw) {
            torch::Tensor const named = probe.own_error(time, draw, Condition::label).norm;
            return share * (probe.own_error(time, draw, Condition::null).norm - named) - (1 - share) * named;
        });
    return sum / 3;
}

// How much worse the neighbours are denoised: members lie in narrow dips of the loss
torch::Tensor pfami(Probe& probe) {
    constexpr std::int64_t kNeighbours = 10, kStep = 50, kTimes = 10;
    std::vector<torch::Tensor> places, losses;
    for (std::int64_t n = 0; n < kNeighbours; ++n) {
        places.push_back(probe.latent() + 0.02 * static_cast<double>(n + 1) * probe.shift(n));
        losses.push_back(torch::zeros_like(probe.label(), torch::kFloat64));
    }
    torch::Tensor own = torch::zeros_like(probe.label(), torch::kFloat64);
    for (std::int64_t time = 0; time < kTimes * kStep; time += kStep) {
        own += probe.own_error(time, 0, Condition::label).mean_square;
        torch::Tensor const noise = probe.noise(time, 0);
        for (std::size_t n = 0; n < places.size(); ++n)
            losses[n] += row_mean(probe.error(places[n], noise, time, probe.label()).square());
    }
    own.clamp_min_(1e-30 * kTimes);
    return (torch::stack(losses).mean(0) - own) / own;
}

// 450 of "denoising_450"
std::int64_t number_after(std::string_view name, std::string_view prefix) {
    return std::stoll(std::string(name.substr(prefix.size())));
}

torch::Tensor compute(std::string_view name, Probe& probe) {
    auto const is = [&](std::string_view prefix) { return name.starts_with(prefix); };
    if (is("denoising_"))
        return -log_loss(probe, number_after(name, "denoising_"), Condition::label);
    if (is("label_gain_")) {
        std::int64_t const time = number_after(name, "label_gain_");
        return log_loss(probe, time, Condition::null) - log_loss(probe, time, Condition::label);
    }
    if (is("reconstruction_"))
        return -log_reconstruction_error(probe, number_after(name, "reconstruction_"));
    if (is("loss_norm_"))
        return -loss_norm(probe, number_after(name, "loss_norm_"));
    if (name == "secmi")
        return -secmi(probe);
    if (name == "pia" || name == "pian")
        return -pia(probe, name == "pian");
    if (is("gradient_mask_"))
        return -gradient_mask(probe, number_after(name, "gradient_mask_"));
    if (name == "noise_fit_loss")
        return -probe.noise_fit().value;
    if (name == "noise_fit_norm")
        return -row_norm(probe.noise_fit().at);
    if (is("clid_"))
        return clid(probe, static_cast<double>(number_after(name, "clid_")) / 10);
    if (name == "pfami")
        return pfami(probe);
    fail(Exit::internal, "signal \"{}\" (has no formula). Report it", name);
}

} // namespace

torch::Tensor diffusion_signals(model::Diffusion& model, model::Batch const& batch, SignalPlan const& plan) {
    torch::NoGradGuard const no_grad;
    Probe probe(model, batch, plan.seed);
    std::vector<torch::Tensor> rows;
    for (SignalInfo const& signal : plan.signals)
        rows.push_back(compute(signal.name, probe));
    return torch::stack(rows).to(torch::kCPU, torch::kFloat32).contiguous();
}

} // namespace assay::usage
