//! A cross-fitted logistic scorer, for true non-members only.
//! Against synthetic partners it learns the generator's artefacts and reports use where there is none: the
//! caller must not offer it there.
#pragma once

#include "assay/usage/signal_table.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace assay::usage {

//! Minimiser of: mean log-loss + strength/2 |weights|^2, weights >= 0, intercept free.
struct LogisticFit {
    double intercept = 0;
    std::vector<double> weights;
};

//! Projected Newton: the quadratic model is solved under the bounds by coordinate descent, then a line
//! search. x: [n, n_signals] row-major; y: [n] of 0 or 1; strength > 0. Local.
LogisticFit fit_logistic(std::span<double const> x, std::size_t n_signals, std::span<double const> y,
                         double strength);

inline constexpr std::size_t kFolds = 5;

//! Out-of-fold scores: no row is scored by a model that saw it.
struct CrossFit {
    std::vector<double> suspects;
    std::vector<double> reference;
    std::array<std::vector<double>, kFolds> weights; //!< [K] of each fold's model, per standardised signal
};

//! Suspects (1) against reference (0). The fold of a row follows from its id and the seed alone, so that
//! neither order nor ranks matter; rows with one id (an item's versions) share a fold. Signals are centred
//! and scaled by the reference rows of the training folds and clipped at 5 sd; the strength is chosen by
//! 3-fold validation inside the training folds. Each fold's logits are moved to mean 0, sd 1 over its
//! training reference rows, else five scales would be mixed; a model with all weights at zero scores 0
//! everywhere. Both tables: same columns, finite values. Fails (Exit::data) below 50 rows on a side. Local.
CrossFit cross_fit(SignalTable const& suspects, std::span<std::uint64_t const> suspect_ids,
                   SignalTable const& reference, std::span<std::uint64_t const> reference_ids,
                   std::uint64_t seed);

} // namespace assay::usage
