//! The membership signals of each model family by name. Every one is oriented: larger = more like a member.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
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
    bool by_default = true;      //!< in "default" and "forward"; else, for its cost, in "all" or by name only
    bool in_score = true;        //!< part of the score unless named otherwise; else only recorded
    bool needs_public = false;   //!< a public model beside the audited one (job.model.public_file)
};

//! All signals of a family ("classifier", …: job.model.family), in the order of columns.
std::span<SignalInfo const> all_signals(std::string_view family);

//! "default", "forward" or "all": a name of job.usage.signals that stands for several.
bool is_group(std::string_view name);

//! What target and data can give.
struct Offer {
    std::string family;
    bool images = false;    //!< samples are [C, H, W]
    bool features = false;  //!< a classifier with features(x)
    bool is_public = false; //!< there is a public model beside it
};

//! The signals that `names` asks for (groups "default", "forward": without gradients and augmentations,
//! "all"; else by name), less those that the model or data cannot give when asked for by a group name.
//! Error(usage) for a name that the family does not know, or a named signal that cannot be given.
std::vector<SignalInfo> choose_signals(std::span<std::string const> names, Offer const& offer);

//! The family's signals that a fit must leave out of the score: those that `names` (job.usage.signals) does
//! not ask for, and those asked for by a group name only that are not in_score.
std::vector<std::string> unscored_signals(std::span<std::string const> names, std::string_view family);

//! How signals are computed.
struct SignalPlan {
    std::vector<SignalInfo> signals;
    std::int64_t augmentations = 8; //!< versions per sample
    std::uint64_t seed = 0;         //!< of all that is drawn
};

} // namespace assay::usage
