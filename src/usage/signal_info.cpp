#include "assay/usage/signal_info.hpp"

#include "assay/base/error.hpp"

#include <algorithm>
#include <array>

namespace assay::usage {

namespace {

std::array<SignalInfo, 8> const kClassifier{{
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
}};

bool possible(SignalInfo const& signal, Offer const& offer) {
    return (offer.images || !signal.needs_images) && (offer.features || !signal.needs_features);
}

} // namespace

std::span<SignalInfo const> all_signals(std::string_view family) {
    if (family == "classifier")
        return kClassifier;
    fail(Exit::usage, "model.family=\"{}\" (has no signals). Use another family", family);
}

std::vector<SignalInfo> choose_signals(std::span<std::string const> names, Offer const& offer) {
    std::span<SignalInfo const> const signals = all_signals(offer.family);
    auto const asked = [&](std::string const& name) { return std::ranges::find(names, name) != names.end(); };
    for (std::string const& name : names) {
        bool const known =
            name == "default" || name == "forward" ||
            std::ranges::any_of(signals, [&](auto const& signal) { return signal.name == name; });
        if (!known)
            fail(Exit::usage,
                 "usage.signals holds \"{}\" (unknown). Use \"default\", \"forward\" or names that "
                 "docs/signals.md "
                 "lists for model.family=\"{}\"",
                 name, offer.family);
    }
    std::vector<SignalInfo> chosen;
    for (SignalInfo const& signal : signals) {
        bool const by_group = asked("default") || (asked("forward") && signal.one_forward);
        if (asked(signal.name) && !possible(signal, offer))
            fail(Exit::usage, "usage.signals holds \"{}\" (it needs {}). Remove it", signal.name,
                 signal.needs_images && !offer.images ? "images"
                                                      : "a model with features(x), see docs/models.md");
        if (asked(signal.name) || (by_group && possible(signal, offer)))
            chosen.push_back(signal);
    }
    return chosen;
}

} // namespace assay::usage
