#include "assay/usage/classifier_signals.hpp"

#include <algorithm>
#include <cmath>

#include <torch/nn/functional/loss.h>

namespace assay::usage {

namespace {

torch::Tensor of_label(torch::Tensor const& values, torch::Tensor const& y) {
    return values.gather(1, y.unsqueeze(1)).squeeze(1);
}

torch::Tensor without_label(torch::Tensor const& logits, torch::Tensor const& y) {
    return logits.scatter(1, y.unsqueeze(1), -INFINITY);
}

torch::Tensor modified_entropy(torch::Tensor const& log_p, torch::Tensor const& y) {
    double const floor = std::log(1e-30);
    torch::Tensor const p = log_p.exp();
    // 1 - p of the top class vanishes in rounding; from the other classes' logarithms it does not
    torch::Tensor const top = log_p.argmax(1);
    torch::Tensor const log_others = without_label(log_p, top).logsumexp(1, /*keepdim=*/true);
    torch::Tensor const log_not_p =
        torch::log1p(-p).scatter(1, top.unsqueeze(1), log_others).clamp_min(floor);
    torch::Tensor const p_y = of_label(p, y);
    torch::Tensor const others = (p * log_not_p).sum(1) - p_y * of_label(log_not_p, y);
    return (1 - p_y) * of_label(log_p, y).clamp_min(floor) + others;
}

torch::Tensor last_layer_gradient(torch::Tensor const& log_p, torch::Tensor const& y,
                                  torch::Tensor const& features) {
    torch::Tensor residual = log_p.exp();
    residual.scatter_add_(1, y.unsqueeze(1), torch::full({y.size(0), 1}, -1.0, residual.options()));
    torch::Tensor const h = features.detach().to(torch::kFloat64);
    return -residual.norm(2, 1) * (h.square().sum(1) + 1).sqrt();
}

torch::Tensor input_gradient(torch::Tensor const& logits, torch::Tensor const& x, torch::Tensor const& y) {
    torch::Tensor const loss = torch::nn::functional::cross_entropy(
        logits, y, torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kSum));
    torch::Tensor const gradient = torch::autograd::grad({loss}, {x}).front();
    return -gradient.flatten(1).to(torch::kFloat64).norm(2, 1);
}

// [augmentations, B] of `logit` on shifted and mirrored versions
torch::Tensor augmented_logits(model::Classifier& classifier, model::Batch const& batch,
                               SignalPlan const& plan) {
    torch::NoGradGuard const no_grad;
    std::vector<torch::Tensor> draws;
    for (std::int64_t k = 0; k < plan.augmentations; ++k) {
        torch::Tensor const x = model::augment(batch.x, batch.ids, plan.seed, static_cast<std::uint64_t>(k));
        draws.push_back(logit_scaled_confidence(classifier.logits(x), batch.y));
    }
    return torch::stack(draws);
}

// [25, B] of `logit` on the samples plus normal noise, a tenth as large as the sample's own spread
torch::Tensor neighbour_logits(model::Classifier& classifier, model::Batch const& batch, std::uint64_t seed) {
    constexpr std::int64_t kNeighbours = 25;
    constexpr double kShare = 0.1;
    torch::NoGradGuard const no_grad;
    std::vector<std::int64_t> shape(static_cast<std::size_t>(batch.x.dim()), 1);
    shape[0] = batch.x.size(0);
    torch::Tensor const size = kShare * batch.x.flatten(1).std(1, /*unbiased=*/false).reshape(shape);
    std::vector<torch::Tensor> logits;
    for (std::int64_t k = 0; k < kNeighbours; ++k) {
        torch::Tensor const noise = model::keyed_normals(batch.ids, batch.x.sizes().slice(1), seed,
                                                         fmt::format("neighbour {}", k), batch.x.device());
        logits.push_back(logit_scaled_confidence(classifier.logits(batch.x + size * noise), batch.y));
    }
    return torch::stack(logits);
}

} // namespace

torch::Tensor logit_scaled_confidence(torch::Tensor const& logits, torch::Tensor const& y) {
    torch::Tensor const l = logits.detach().to(torch::kFloat64);
    return of_label(l, y) - without_label(l, y).logsumexp(1);
}

torch::Tensor classifier_signals(model::Classifier& classifier, model::Batch const& batch,
                                 SignalPlan const& plan, model::Classifier* public_model) {
    auto const wants = [&](char const* name) {
        return std::ranges::any_of(plan.signals,
                                   [&](SignalInfo const& signal) { return signal.name == name; });
    };
    bool const augments = wants("augmentation_mean") || wants("augmentation_std");
    bool const differentiates = wants("input_gradient");
    torch::AutoGradMode const gradients(differentiates);
    torch::Tensor const x = differentiates ? batch.x.detach().clone().requires_grad_() : batch.x;
    auto const [logits, features] = wants("last_layer_gradient")
                                        ? classifier.logits_and_features(x)
                                        : std::pair(classifier.logits(x), torch::Tensor());
    torch::Tensor const& y = batch.y;
    torch::Tensor const l = logits.detach().to(torch::kFloat64);
    torch::Tensor const log_p = l.log_softmax(1);
    torch::Tensor const augmented = augments ? augmented_logits(classifier, batch, plan) : torch::Tensor();
    torch::Tensor const neighbours = wants("neighbour") || wants("neighbour_scaled")
                                         ? neighbour_logits(classifier, batch, plan.seed)
                                         : torch::Tensor();

    std::vector<torch::Tensor> rows;
    for (SignalInfo const& signal : plan.signals) {
        if (signal.name == "loss")
            rows.push_back(of_label(log_p, y));
        else if (signal.name == "logit")
            rows.push_back(logit_scaled_confidence(logits, y));
        else if (signal.name == "margin")
            rows.push_back(of_label(l, y) - std::get<0>(without_label(l, y).max(1)));
        else if (signal.name == "modified_entropy")
            rows.push_back(modified_entropy(log_p, y));
        else if (signal.name == "last_layer_gradient")
            rows.push_back(last_layer_gradient(log_p, y, features));
        else if (signal.name == "input_gradient")
            rows.push_back(input_gradient(logits, x, y));
        else if (signal.name == "augmentation_mean")
            rows.push_back(augmented.mean(0));
        else if (signal.name == "augmentation_std")
            rows.push_back(-augmented.std(0));
        else if (signal.name == "calibrated_logit")
            rows.push_back(logit_scaled_confidence(logits, y) -
                           logit_scaled_confidence(public_model->logits(batch.x), y));
        else if (signal.name == "neighbour")
            rows.push_back(logit_scaled_confidence(logits, y) - neighbours.mean(0));
        else if (signal.name == "neighbour_scaled")
            rows.push_back((logit_scaled_confidence(logits, y) - neighbours.mean(0)) /
                           neighbours.std(0).clamp_min(1e-6));
    }
    return torch::stack(rows).to(torch::kCPU, torch::kFloat32).contiguous();
}

} // namespace assay::usage
