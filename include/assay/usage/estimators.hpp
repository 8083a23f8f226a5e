//! Point estimates of the used fraction p from scores of suspects and reference. They differ in what they
//! assume of the members and are reported side by side, never averaged. Best bin is the one the report stands
//! on, density ratio its check; the others decide nothing. Each has a file of its own, estimate_<name>.cpp.
#pragma once

#include "assay/usage/score.hpp"

#include <array>
#include <optional>
#include <span>
#include <string_view>

namespace assay::usage {

//! What an estimator sees. Both sides non-empty, *ascending*; larger = more like a member. The blocks are in
//! the order of the items instead, so that block_a and block_b of one item belong together; empty where the
//! score has no blocks.
struct ScoreView {
    std::span<double const> suspects;
    std::span<double const> reference;
    std::span<double const> suspects_a = {}, suspects_b = {};
    std::span<double const> reference_a = {}, reference_b = {};
};

// All of the following: in [0, 1] or none where the estimator does not apply; local; at most O(n log n), so
// that a fit of 2^18 rows takes seconds.

//! Best-bin estimation (Garg et al. 2021, arXiv 2111.00980): 1 - q_U/q_N at the score where an upper
//! confidence limit of that ratio is smallest (d = 0.1, g = 0.01 as published), among scores with at least a
//! tenth of the reference below them. Assumes a score region without members; else biased down.
std::optional<double> best_bin(ScoreView const& scores);

//! One minus the smallest of (h_U + 2/n)/h_N over five bins of equal pooled content, n the smaller side; bins
//! with fewer than five reference rows are left out. Same assumption, coarser.
std::optional<double> density_ratio(ScoreView const& scores);

//! From the differences of the means of two signal blocks, D_a and D_b, and of their covariance, C:
//! p = D_a D_b/(D_a D_b + C). Assumes equal covariance within members and non-members instead of a free
//! region; members memorised to different degrees bias it down. None where a block is missing, or a
//! difference is below 3 standard errors.
std::optional<double> covariance_moment(ScoreView const& scores);

//! Two normal components of one width, the reference's held fixed, the members' mean fitted (300 EM steps at
//! most). None where the mixture is not better than the reference alone by 2 log-likelihood > 2 ln n. Skewed
//! members bias it up.
std::optional<double> em_shared_width(ScoreView const& scores);

//! TIcE (Bekker and Davis 2018), the score its only feature: a tree of four-way cuts grown on one of five
//! folds, in whose nodes the other folds bound c, the share of non-members that are in the reference, from
//! below; the largest bound, averaged over folds, through fraction_of_label_frequency(). Assumes that some
//! score range is (almost) free of members; cautious, hence small. None where all scores are equal.
std::optional<double> tice(ScoreView const& scores);

//! p from c = P(item is in the reference | it is a non-member), for n_N reference rows and n_U suspects:
//! 1 - g (1-c)/((1-g) c) with g = n_N/(n_N + n_U), c not below g. In [0, 1].
double fraction_of_label_frequency(double c, std::size_t n_suspects, std::size_t n_reference);

//! Patra and Sen 2016 (arXiv 1204.5488): the smallest p for which F_U - (1-p) F_N is within 0.1 log log n /
//! sqrt(n) of p times some distribution function, as root mean square over the suspects;
//! n = n_U n_N/(n_U + n_N), since F_N is sampled too. Assumes that members are not themselves partly
//! distributed like the reference; the tolerance makes it small. Depends on the order of the scores alone.
std::optional<double> patra_sen(ScoreView const& scores);

//! DEDPUL (Ivanov 2019, arXiv 1902.06965): dedpul_em() from 0 on the ratio of two kernel densities of the
//! score, smoothed and made to fall with the score. Works on at most 1,000 evenly spaced order statistics of
//! each side: exact kernel sums are quadratic. Assumes a score region without members. None where the
//! reference is constant.
std::optional<double> dedpul(ScoreView const& scores);

//! The fixed point of p <- mean of max(0, 1 - (1-p) r) reached from `start` in [0, 1]; r [n] = f_N/f_U at the
//! suspects, mean 1. Every p >= 1 - 1/max r is a fixed point, so the start decides: 0 gives the smallest.
double dedpul_em(std::span<double const> ratios, double start);

struct Estimator {
    std::string_view name;        //!< in the results file and summary.json
    std::string_view description; //!< in the table of a report
    std::optional<double> (*function)(ScoreView const&);
};

inline constexpr std::array<Estimator, 7> kEstimators{{
    {"best_bin", "best bin", best_bin},
    {"density_ratio", "minimum density ratio", density_ratio},
    {"covariance_moment", "covariance moment", covariance_moment},
    {"em_shared_width", "EM, shared width", em_shared_width},
    {"tice", "TIcE", tice},
    {"patra_sen", "Patra-Sen", patra_sen},
    {"dedpul", "DEDPUL", dedpul},
}};

//! So many of them, from the first, are resampled: the spread of the others is not worth its time.
inline constexpr std::size_t kResampled = 4;

//! Position in kEstimators; a name that is not there does not compile.
consteval std::size_t estimator(std::string_view name) {
    for (std::size_t e = 0; e < kEstimators.size(); ++e)
        if (kEstimators[e].name == name)
            return e;
    throw "no such estimator";
}

//! One per entry of kEstimators.
using Estimates = std::array<std::optional<double>, kEstimators.size()>;

//! Of the first `count` estimators, the others none; sorts the scores itself. Both sides non-empty.
Estimates estimate(ScorePair const& scores, std::size_t count = kEstimators.size());

//! Standard errors by which the log density ratio suspects/reference rises from the reference's lowest tenth
//! to its second tenth. Where members never score low the ratio is flat there, at 1-p; a rise says that
//! members thin out only gradually, so that no region is free of them and best_bin() and density_ratio() are
//! too small. A small value is no proof of the opposite. Ascending.
double low_end_rise(std::span<double const> suspects, std::span<double const> reference);

} // namespace assay::usage
