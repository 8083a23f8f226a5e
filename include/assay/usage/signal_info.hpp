//! The membership signals of classifiers by name. Every one is oriented: larger = more like a member.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace assay::usage {

//! One signal as a reader of the results file meets it.
struct SignalInfo {
    std::string name;
    std::string description;
    std::string units;
    bool needs_images = false;   //!< [B, C, H, W] samples
    bool needs_features = false; //!< a model with features(x)
    bool one_forward = true;     //!< comes from one forward pass, no gradient, no augmentation
};

//! All signals known, in the order of columns.
std::span<SignalInfo const> all_signals();

//! The signals that `names` asks for ("default": all; "forward": those of one forward pass; else by name),
//! less those that the model or data cannot give when asked for by a group name. Error(usage) for an unknown
//! name, or a named signal that cannot be given.
std::vector<SignalInfo> choose_signals(std::span<std::string const> names, bool images, bool features);

} // namespace assay::usage
