//! Signals calibrated by reference models: how much more a target likes a sample than models do that have not
//! seen it.
#pragma once

#include "assay/usage/signal_table.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace assay::usage {

//! What a model says of the suspects [0], of their partners [1] and of the partners' partners [2]; rows
//! alike.
using Views = std::array<SignalTable, 3>;

//! A model trained on suspects that are known.
struct ReferenceModel {
    Views views;
    std::vector<std::uint8_t> member; //!< [n] 1: it was trained on the suspect
};

//! Local. The given rows in the given order.
ReferenceModel take_rows(ReferenceModel const& model, std::span<std::size_t const> rows);

//! Two comparisons of residuals. The residual of a signal is its value less what the mean of the reference
//! models that were not trained on the suspect lets expect: least squares on the partners, three times
//! without what lies over three robust deviations off. (Difficulty calibration, Watson et al. 2022, but that
//! the target may be of another recipe than the reference models: how their signals relate is learnt where
//! no member can be.)
struct Calibrated {
    SignalTable suspects, reference; //!< suspects, partners; expectation learnt on the partners
    SignalTable control_suspects,
        control; //!< partners, their partners; learnt on the latter: nothing to find
};

//! Local. `left_out`: a reference model that takes no part. Every suspect must be unseen by one that does.
Calibrated calibrate(Views const& target, std::span<ReferenceModel const> references,
                     std::optional<std::size_t> left_out = std::nullopt);

//! Local. How wide the target's answers to partners spread, over how wide those of a reference model do on
//! average (SignalScale::width): median over the signals that vary among these; 0 if none does. Far below 1:
//! the target memorises less than they, or its logits were scaled down.
double relative_spread(SignalTable const& target_partners, std::span<ReferenceModel const> references);

} // namespace assay::usage
