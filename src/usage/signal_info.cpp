#include "assay/usage/signal_info.hpp"

#include "assay/base/error.hpp"

#include <algorithm>
#include <array>

namespace assay::usage {

namespace {

std::array<SignalInfo, 11> const kClassifier{{
    {"loss", "log probability of the label: minus the cross-entropy", "nat"},
    {"logit", "logit-scaled confidence log(p_y/(1-p_y)), from logits (Carlini et al. 2022)", "nat"},
    {"margin", "logit of the label minus the largest other logit", "1"},
    {"modified_entropy", "minus the modified prediction entropy (Song and Mittal 2021)", "nat"},
    {"last_layer_gradient",
     "minus the norm of the loss gradient in the last layer, |p - e_y| sqrt(|h|^2 + 1)", "1", false, true},
    {"input_gradient", "minus the norm of the loss gradient in the input", "1", false, false, false},
    {"augmentation_mean", "mean of `logit` over shifted and mirrored versions", "nat", true, false, false},
    {"augmentation_std", "minus the standard deviation of `logit` over shifted and mirrored versions", "nat",
     true, false, false},
    {"calibrated_logit", "`logit` less that on the public model", "nat", false, false, true, true, true,
     true},
    {"neighbour", "`logit` less its mean over 25 noisy neighbours (after Mattern et al. 2023)", "nat", false,
     false, false, false, false},
    {"neighbour_scaled", "the same over the standard deviation of `logit` over the neighbours", "1", false,
     false, false, false, false},
}};

// In no score by default: docs/experiments/ says why
SignalInfo recorded(char const* name, char const* description, char const* units) {
    SignalInfo signal{name, description, units};
    signal.in_score = false;
    return signal;
}

// Twice the same formulas: on the logits under the label, and on their difference to those without a label
std::array<SignalInfo, 25> const kAutoregressive{{
    {"loss", "mean log probability of the tokens, under the label", "nat"},
    {"min_k_10", "mean of the 10 % smallest log probabilities, under the label", "nat"},
    {"min_k_30", "mean of the 30 % smallest log probabilities, under the label", "nat"},
    {"min_k_plus_30", "mean of the 30 % smallest normalised log probabilities, under the label", "1"},
    {"min_k_plus_60", "mean of the 60 % smallest normalised log probabilities, under the label", "1"},
    {"min_k_plus_100", "mean normalised log probability, under the label", "1"},
    recorded("label_gain", "mean log probability under the label minus that without a label", "nat"),
    recorded("guidance_loss", "mean log probability of the tokens, guided", "nat"),
    recorded("guidance_zlib", "guidance_loss per byte of the compressed tokens", "nat/byte"),
    recorded("guidance_hinge", "mean distance of a token's logit from the largest other, guided", "1"),
    recorded("guidance_min_k_10", "mean of the 10 % smallest log probabilities, guided", "nat"),
    recorded("guidance_min_k_20", "mean of the 20 % smallest log probabilities, guided", "nat"),
    recorded("guidance_min_k_30", "mean of the 30 % smallest log probabilities, guided", "nat"),
    recorded("guidance_min_k_40", "mean of the 40 % smallest log probabilities, guided", "nat"),
    recorded("guidance_min_k_50", "mean of the 50 % smallest log probabilities, guided", "nat"),
    recorded("guidance_min_k_plus_10", "mean of the 10 % smallest normalised log probabilities, guided", "1"),
    recorded("guidance_min_k_plus_20", "mean of the 20 % smallest normalised log probabilities, guided", "1"),
    recorded("guidance_min_k_plus_30", "mean of the 30 % smallest normalised log probabilities, guided", "1"),
    recorded("guidance_min_k_plus_40", "mean of the 40 % smallest normalised log probabilities, guided", "1"),
    recorded("guidance_min_k_plus_50", "mean of the 50 % smallest normalised log probabilities, guided", "1"),
    recorded("guidance_below_mean", "minus the share of tokens below the mean log probability, guided",
             "share"),
    recorded("guidance_below_mean_normalised", "the same, normalised", "share"),
    recorded("guidance_below_running_mean", "share of tokens below the mean of those up to them, guided",
             "share"),
    recorded("guidance_below_running_mean_normalised", "the same, normalised", "share"),
    recorded("guidance_slope", "minus the slope of the log probability over the tokens, guided", "nat/token"),
}};

// The first three make the score, by default; then what costs as little; then what is published and costs ten
// times as much
std::vector<SignalInfo> make_diffusion() {
    auto const at = [](char const* name, std::int64_t time) { return fmt::format("{}_{}", name, time); };
    auto const denoising = [&](std::int64_t time) {
        return SignalInfo{at("denoising", time),
                          fmt::format("minus the log mean denoising error at time {}, under the label", time),
                          "nat"};
    };
    auto const reconstruction = [&](std::int64_t time) {
        return SignalInfo{
            at("reconstruction", time),
            fmt::format("minus the log error of one step back from time {}, no noise added", time), "nat"};
    };
    std::vector<SignalInfo> signals{
        denoising(50), reconstruction(200),
        SignalInfo{"pia", "minus the change of the noise seen in the clean sample (Kong et al. 2023)", "1"}};
    std::size_t const scored = signals.size();
    signals.insert(signals.end(), {denoising(150), denoising(300), reconstruction(400)});
    for (std::int64_t time : {50, 150, 300})
        signals.push_back(
            {at("label_gain", time),
             fmt::format("log denoising error at time {} without a label minus that under it", time), "nat"});
    std::size_t const cheap = signals.size();

    auto const add = [&](std::string name, std::string description, bool gradients = false) {
        signals.push_back({std::move(name), std::move(description), "1"});
        signals.back().one_forward = !gradients;
    };
    for (std::int64_t time = 0; time < 1000; time += 100)
        add(at("loss_norm", time), fmt::format("minus the norm of the denoising error at time {}", time));
    add("secmi", "minus the error of one deterministic step onward and back (Duan et al. 2023)");
    add("pian", "as pia, the noise scaled to the size of normal noise (Kong et al. 2023)");
    for (std::int64_t time = 0; time < 1000; time += 100)
        add(at("gradient_mask", time),
            fmt::format("minus the error where the loss at time {} is most sensitive, noised", time), true);
    add("noise_fit_loss", "minus the denoising error after 5 steps of fitting a shift", true);
    add("noise_fit_norm", "minus the norm of that shift", true);
    for (std::int64_t tenth = 0; tenth <= 10; ++tenth)
        add(at("clid", tenth),
            fmt::format("{} tenths the gain of the label less {} tenths of the error (CLiD)", tenth,
                        10 - tenth));
    add("pfami", "relative rise of the denoising error around the sample (after Fu et al. 2023)");
    for (std::size_t k = 0; k < signals.size(); ++k) {
        signals[k].in_score = k < scored;
        signals[k].by_default = k < cheap;
    }
    return signals;
}

// Is it part of a group that is asked for?
bool in_group(SignalInfo const& signal, std::span<std::string const> names) {
    auto const asked = [&](char const* group) { return std::ranges::find(names, group) != names.end(); };
    return asked("all") ||
           (signal.by_default && (asked("default") || (asked("forward") && signal.one_forward)));
}

bool possible(SignalInfo const& signal, Offer const& offer) {
    return (offer.images || !signal.needs_images) && (offer.features || !signal.needs_features) &&
           (offer.is_public || !signal.needs_public);
}

} // namespace

std::span<SignalInfo const> all_signals(std::string_view family) {
    if (family == "classifier")
        return kClassifier;
    if (family == "autoregressive")
        return kAutoregressive;
    if (family == "diffusion") {
        static std::vector<SignalInfo> const diffusion = make_diffusion();
        return diffusion;
    }
    fail(Exit::usage, "model.family=\"{}\" (has no signals). Use another family", family);
}

bool is_group(std::string_view name) {
    return name == "default" || name == "forward" || name == "all";
}

std::vector<SignalInfo> choose_signals(std::span<std::string const> names, Offer const& offer) {
    std::span<SignalInfo const> const signals = all_signals(offer.family);
    auto const asked = [&](std::string const& name) { return std::ranges::find(names, name) != names.end(); };
    for (std::string const& name : names) {
        bool const known = is_group(name) || std::ranges::any_of(signals, [&](auto const& signal) {
                               return signal.name == name;
                           });
        if (!known)
            fail(Exit::usage,
                 "usage.signals holds \"{}\" (unknown). Use \"default\", \"forward\", \"all\" or names "
                 "that docs/signals.md lists for model.family=\"{}\"",
                 name, offer.family);
    }
    std::vector<SignalInfo> chosen;
    for (SignalInfo const& signal : signals) {
        bool const by_group = in_group(signal, names);
        if (asked(signal.name) && !possible(signal, offer))
            fail(Exit::usage, "usage.signals holds \"{}\" (it needs {}). Remove it", signal.name,
                 signal.needs_images && !offer.images ? "images"
                 : signal.needs_public                ? "a public model, model.public_file"
                                                      : "a model with features(x), see docs/models.md");
        if (asked(signal.name) || (by_group && possible(signal, offer)))
            chosen.push_back(signal);
    }
    return chosen;
}

std::vector<std::string> unscored_signals(std::span<std::string const> names, std::string_view family) {
    auto const asked = [&](std::string const& name) { return std::ranges::find(names, name) != names.end(); };
    std::vector<std::string> unscored;
    for (SignalInfo const& signal : all_signals(family)) {
        bool const by_group = in_group(signal, names);
        if (!asked(signal.name) && !(by_group && signal.in_score))
            unscored.push_back(signal.name);
    }
    return unscored;
}

} // namespace assay::usage
