//! The learner-free membership score: every signal in units of the reference's spread, averaged.
//! Nothing is fitted to the suspects, so a score cannot learn to tell a generator's artefacts from real data.
#pragma once

#include "assay/usage/signal_table.hpp"

#include <string>
#include <vector>

namespace assay::usage {

//! Scores of one side, one value per row; larger = more like a member.
//! block_a and block_b average two disjoint groups of signals; both are empty where one group has no signal.
struct Scores {
    std::vector<double> z;
    std::vector<double> block_a;
    std::vector<double> block_b;
};

//! Scores of both sides of a comparison, on one scale.
struct ScorePair {
    Scores suspects;
    Scores reference;
};

//! Location and scale of each signal, [K]. width 0 marks a signal that cannot be scaled.
struct SignalScale {
    std::vector<double> centre;
    std::vector<double> width;
};

//! Signals of block A: functions of the predicted probabilities under the label (loss, logit, margin,
//! modified_entropy, min_k_*). All others (gradients, augmentations, guidance, ...) are block B. Two versions
//! of one mechanism never face each other.
bool is_confidence_signal(std::string const& name);

//! Column numbers of the two blocks, in order.
struct SignalBlocks {
    std::vector<std::size_t> a;
    std::vector<std::size_t> b;
};
SignalBlocks split_blocks(SignalTable const& table);

//! Median and half the distance between the 16 % and 84 % quantiles of each reference signal. Local.
SignalScale fit_scale(SignalTable const& reference);

//! Column numbers of the signals with a positive width. Local.
std::vector<std::size_t> usable_signals(SignalScale const& scale);

//! Mean over the usable signals of clip((signal - centre)/width, -6, 6), and the same for the two blocks.
//! All three are empty if no signal is usable. Affine changes of a signal's units leave the score as it is.
//! Local.
Scores zsum(SignalTable const& table, SignalScale const& scale);

//! zsum() of both sides with the scale of the reference. Local.
ScorePair zsum(SignalTable const& suspects, SignalTable const& reference);

} // namespace assay::usage
