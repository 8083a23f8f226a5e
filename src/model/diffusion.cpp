#include "assay/model/diffusion.hpp"

#include "assay/base/error.hpp"

#include <cmath>
#include <numbers>

namespace assay::model {

namespace {

// values[t] shaped to broadcast over [B, ...]
torch::Tensor at_times(torch::Tensor const& values, torch::Tensor const& t, std::int64_t dimensions) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(dimensions), 1);
    shape[0] = t.size(0);
    return values.index_select(0, t).reshape(shape);
}

torch::Tensor guided_eps(Diffusion& model, torch::Tensor const& x, std::int64_t time,
                         torch::Tensor const& label, double guidance) {
    torch::Tensor const t = torch::full_like(label, time);
    torch::Tensor const conditional = model.eps(x, t, label);
    if (guidance == 1)
        return conditional;
    torch::Tensor const unconditional = model.eps(x, t, torch::full_like(label, kNullLabel));
    return unconditional + guidance * (conditional - unconditional);
}

// The noise that the model sees in x_t, checked
torch::Tensor finite_eps(Diffusion& model, torch::Tensor const& x_t, std::int64_t time,
                         torch::Tensor const& label, std::string const& origin) {
    torch::Tensor const eps = model.eps(x_t, torch::full_like(label, time), label);
    if (!torch::isfinite(eps).all().item<bool>())
        fail(Exit::data,
             "{}: the noise predicted at step {} under label {} holds NaN or infinity on the first samples. "
             "Check the model and dataset.mean/deviation",
             origin, time, label[0].item<std::int64_t>());
    return eps;
}

constexpr std::int64_t kFewestSteps = 100;

void check_schedule(torch::Tensor const& alphas, std::string const& origin) {
    bool const shaped =
        alphas.dim() == 1 && alphas.size(0) >= kFewestSteps && alphas.scalar_type() == torch::kFloat32;
    if (!shaped)
        fail(Exit::data,
             "{}: alphas_cumprod is {} [{}] (must be float32 [T], T at least {}: signals look at times a "
             "hundredth apart). Save the schedule of training, see docs/models.md",
             origin, std::string(alphas.dtype().name()), fmt::join(alphas.sizes(), ", "), kFewestSteps);
    std::int64_t const last = alphas.size(0) - 1;
    bool const falls = (alphas.slice(0, 1) <= alphas.slice(0, 0, last)).all().item<bool>();
    float const first_alpha = alphas[0].item<float>(), last_alpha = alphas[last].item<float>();
    if (!falls || !(last_alpha > 0 && last_alpha < 0.5 && first_alpha > last_alpha && first_alpha <= 1))
        fail(Exit::data,
             "{}: alphas_cumprod goes from {} to {} (must fall from step to step, from at most 1 to below "
             "0.5). Save the cumulative product of 1 - beta, neither 1 - beta nor its root, see "
             "docs/models.md",
             origin, first_alpha, last_alpha);
}

torch::Tensor finite_latent(Diffusion& model, torch::Tensor const& x, std::string const& origin) {
    torch::Tensor const latent = model.encode(x);
    if (!torch::isfinite(latent).all().item<bool>())
        fail(Exit::data,
             "{}: encode(x) of the first samples holds NaN or infinity. Check the model and "
             "dataset.mean/deviation",
             origin);
    return latent;
}

// Is the difference more than rounding?
bool differ(torch::Tensor const& a, torch::Tensor const& b) {
    return (a - b).abs().max().item<double>() > 1e-6 * (1 + a.abs().max().item<double>());
}

void check_null_label(Diffusion& model, torch::Tensor const& x, std::int64_t time,
                      std::vector<torch::Tensor> const& labels, std::string const& origin) {
    torch::Tensor const null =
        finite_eps(model, x, time, torch::full_like(labels.front(), kNullLabel), origin);
    for (torch::Tensor const& label : labels)
        if (!differ(finite_eps(model, x, time, label, origin), null))
            fail(Exit::data,
                 "{}: the noise predicted under label {} (unconditional) equals that under label {} "
                 "(signals live on their difference; a table of classes may be read from its end). Give the "
                 "model a null class, see docs/models.md",
                 origin, kNullLabel, label[0].item<std::int64_t>());
}

// Signals call the model again and again on the same tensors
void check_repeatable(Diffusion& model, torch::Tensor const& x, torch::Tensor const& latent,
                      torch::Tensor const& label, std::string const& origin) {
    if (differ(finite_latent(model, x, origin), latent))
        fail(Exit::data,
             "{}: encode(x) of the same samples differs from call to call (signals compare calls). Return "
             "the mean of the posterior, not a draw",
             origin);
    torch::Tensor const kept = latent.clone(), t = torch::zeros_like(label), kept_label = label.clone();
    torch::Tensor const first = model.eps(latent, t, label).clone();
    bool const untouched = torch::equal(latent, kept) && torch::equal(label, kept_label) &&
                           torch::equal(t, torch::zeros_like(t));
    if (!untouched)
        fail(Exit::data,
             "{}: forward(x_t, t, label) changes what it is given in place (signals use it again). Copy "
             "it first",
             origin);
    if (differ(model.eps(latent, t, label), first))
        fail(Exit::data,
             "{}: forward(x_t, t, label) differs from call to call on the same input (signals compare "
             "calls). Draw no random numbers in it",
             origin);
}

} // namespace

void check_diffusion(Diffusion& model, Batch const& trial, std::int64_t classes, std::string const& origin) {
    torch::NoGradGuard const no_grad;
    torch::Tensor const alphas = model.alphas_cumprod();
    check_schedule(alphas, origin);
    torch::Tensor const latent = finite_latent(model, trial.x, origin);
    check_repeatable(model, trial.x, latent, trial.y, origin);
    std::vector<torch::Tensor> const labels{trial.y, torch::full_like(trial.y, classes - 1)};
    torch::Tensor const null = torch::full_like(trial.y, kNullLabel);
    for (std::int64_t time : {std::int64_t{0}, alphas.size(0) - 1})
        for (torch::Tensor const& label : {labels[0], labels[1], null})
            finite_eps(model, latent, time, label, origin);
    check_null_label(model, latent, alphas.size(0) / 2, labels, origin);
}

double late_error(Diffusion& model, Batch const& batch) {
    torch::NoGradGuard const no_grad;
    torch::Tensor const x = model.encode(batch.x);
    torch::Tensor const noise = keyed_normals(batch.ids, x.sizes().slice(1), 0, "late noise", x.device());
    torch::Tensor const time = torch::full_like(batch.y, model.alphas_cumprod().size(0) * 9 / 10);
    return denoising_loss(model, x, noise, time, batch.y).mean().item<double>();
}

torch::Tensor cosine_schedule(std::int64_t steps) {
    auto const f = [&](std::int64_t step) {
        double const share = static_cast<double>(step) / static_cast<double>(steps);
        return std::pow(std::cos((share + 0.008) / 1.008 * std::numbers::pi / 2), 2);
    };
    std::vector<float> alphas;
    double product = 1;
    for (std::int64_t step = 0; step < steps; ++step) {
        product *= 1 - std::min(1 - f(step + 1) / f(step), 0.999); // the paper's bound on a step's noise
        alphas.push_back(static_cast<float>(product));
    }
    return torch::tensor(alphas);
}

torch::Tensor add_noise(torch::Tensor const& x, torch::Tensor const& noise, torch::Tensor const& t,
                        torch::Tensor const& alphas_cumprod) {
    torch::Tensor const alpha = at_times(alphas_cumprod, t, x.dim());
    return alpha.sqrt() * x + (1 - alpha).sqrt() * noise;
}

torch::Tensor denoising_loss(Diffusion& model, torch::Tensor const& x, torch::Tensor const& noise,
                             torch::Tensor const& t, torch::Tensor const& label) {
    torch::Tensor const x_t = add_noise(x, noise, t, model.alphas_cumprod());
    return (model.eps(x_t, t, label) - noise).square().flatten(1).mean(1);
}

torch::Tensor ddim_sample(Diffusion& model, torch::Tensor const& noise, torch::Tensor const& label,
                          std::int64_t steps, double guidance) {
    torch::Tensor const alphas = model.alphas_cumprod().to(torch::kCPU, torch::kFloat64);
    std::int64_t const times = alphas.size(0);
    if (steps < 1 || steps > times)
        fail(Exit::usage, "generate.steps={} (the diffusion has {} steps). Choose 1 to {}", steps, times,
             times);
    torch::NoGradGuard const no_grad;
    torch::Tensor x = noise, sample;
    for (std::int64_t step = steps; step > 0; --step) {
        std::int64_t const t = step * times / steps - 1;
        double const alpha = alphas[t].item<double>();
        torch::Tensor const eps = guided_eps(model, x, t, label, guidance);
        sample = ((x - std::sqrt(1 - alpha) * eps) / std::sqrt(alpha)).clamp(-1, 1);
        if (step == 1)
            break;
        // The noise that belongs to the clipped sample, scaled to the next time's
        double const next = alphas[(step - 1) * times / steps - 1].item<double>();
        torch::Tensor const direction = (x - std::sqrt(alpha) * sample) / std::sqrt(1 - alpha);
        x = std::sqrt(next) * sample + std::sqrt(1 - next) * direction;
    }
    return sample;
}

torch::Tensor redraw(Diffusion& model, torch::Tensor const& x, torch::Tensor const& label,
                     std::vector<std::uint64_t> const& ids, Redraw const& how) {
    torch::NoGradGuard const no_grad;
    torch::Tensor const alphas = model.alphas_cumprod().to(torch::kCPU, torch::kFloat64);
    auto const start = static_cast<std::int64_t>(how.strength * static_cast<double>(alphas.size(0)));
    auto const noise = [&](std::int64_t step) {
        return keyed_normals(ids, x.sizes().slice(1), how.seed, fmt::format("{} {}", how.purpose, step),
                             x.device());
    };
    auto const alpha_at = [&](std::int64_t step) { // of the time after which `step` steps are left
        return step == 0 ? 1.0 : alphas[step * start / how.steps - 1].item<double>();
    };
    double alpha = alpha_at(how.steps);
    torch::Tensor z = std::sqrt(alpha) * x + std::sqrt(1 - alpha) * noise(how.steps);
    for (std::int64_t step = how.steps; step > 0; --step) {
        torch::Tensor const t = torch::full_like(label, step * start / how.steps - 1);
        torch::Tensor const eps = model.eps(z, t, label);
        torch::Tensor const sample = ((z - std::sqrt(1 - alpha) * eps) / std::sqrt(alpha)).clamp(-1, 1);
        if (step == 1)
            return sample;
        double const next = alpha_at(step - 1);
        double const variance = (1 - next) / (1 - alpha) * (1 - alpha / next);
        torch::Tensor const direction = (z - std::sqrt(alpha) * sample) / std::sqrt(1 - alpha);
        z = std::sqrt(next) * sample + std::sqrt(1 - next - variance) * direction +
            std::sqrt(variance) * noise(step - 1);
        alpha = next;
    }
    return z;
}

} // namespace assay::model
