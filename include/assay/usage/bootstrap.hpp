//! How much the point estimates move when other items of the same kind are drawn.
#pragma once

#include "assay/usage/estimators.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace assay::usage {

//! One replicate: the first kResampled of kEstimators; NaN where an estimator gave none.
using Replicate = std::array<double, kResampled>;

//! Which items are drawn, and how often.
struct Resampling {
    std::size_t n_suspects = 0;
    std::size_t n_reference = 0;
    bool paired = false; //!< one draw of items for both sides (n_suspects == n_reference), else one per side
    int replicates = 0;
    std::uint64_t seed = 0;
};

//! Scores of the drawn rows (with repetition) of both sides; empty scores make the replicate NaN.
using Rescore =
    std::function<ScorePair(std::span<std::size_t const> suspects, std::span<std::size_t const> reference)>;

//! [B] replicates; number b draws from Random(seed, "bootstrap", b), so any share of them can be done alone.
//! Local.
std::vector<Replicate> bootstrap(Resampling const& resampling, Rescore const& rescore);

//! Quantile at level in [0, 1] of one estimator's replicates, those without a value left out; NaN if none has
//! one.
double replicate_quantile(std::span<Replicate const> replicates, std::size_t estimator, double level);

} // namespace assay::usage
