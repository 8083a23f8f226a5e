//! Point estimates of the used fraction p from scores of suspects and reference. They differ in what they
//! assume of the members and are reported side by side, never averaged. Best bin is the one the report stands
//! on. Arrays called ascending must be sorted; all estimates lie in [0, 1]; all functions are local.
#pragma once

#include "assay/usage/score.hpp"

#include <array>
#include <optional>
#include <span>

namespace assay::usage {

//! Best-bin estimation (Garg et al. 2021, arXiv 2111.00980): 1 - q_U/q_N at the score where an upper
//! confidence limit of that ratio is smallest (d = 0.1, g = 0.01 as published), among scores with at least a
//! tenth of the reference below them. Assumes a score region without members; else biased down. Ascending.
double best_bin(std::span<double const> suspects, std::span<double const> reference);

//! One minus the smallest of (h_U + 2/n)/h_N over five bins of equal pooled content, n the smaller side; bins
//! with fewer than five reference rows are left out. Same assumption, coarser. Ascending.
double density_ratio(std::span<double const> suspects, std::span<double const> reference);

//! From the differences of the means of two signal blocks, D_a and D_b, and of their covariance, C:
//! p = D_a D_b/(D_a D_b + C). Assumes equal covariance within members and non-members instead of a free
//! region; members memorised to different degrees bias it down. Rows of block_a and block_b belong together.
//! None where a block is missing, or a difference is below 3 standard errors.
std::optional<double> covariance_moment(Scores const& suspects, Scores const& reference);

//! Two normal components of one width, the reference's held fixed, the members' mean fitted (300 EM steps at
//! most). None where the mixture is not better than the reference alone by 2 log-likelihood > 2 ln n. Skewed
//! members bias it up. Ascending.
std::optional<double> em_shared_width(std::span<double const> suspects, std::span<double const> reference);

//! Standard errors by which the log density ratio suspects/reference rises from the reference's lowest tenth
//! to its second tenth. Where members never score low the ratio is flat there, at 1-p; a rise says that
//! members thin out only gradually, so that no region is free of them and best_bin() and density_ratio() are
//! too small. A small value is no proof of the opposite. Ascending.
double low_end_rise(std::span<double const> suspects, std::span<double const> reference);

struct Estimates {
    double best_bin = 0;
    double density_ratio = 0;
    std::optional<double> covariance_moment;
    std::optional<double> em_shared_width;
};

//! All four; sorts the scores itself. Both sides non-empty.
Estimates estimate(ScorePair const& scores);

} // namespace assay::usage
