//! Estimates of the used fraction p where some members are known, beside a reference of non-members.
//! They assume more than the others, that the known members are a random draw of all that were used, and need
//! no score region without members in return. Reported beside the others; they decide nothing. Local.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace assay::usage {

//! The share of suspects above a threshold, corrected by the true- and false-positive rates there (adjusted
//! classify-and-count, Forman 2008): (r - FPR)/(TPR - FPR), in [0, 1]; TPR > FPR.
double adjusted_count(double suspects_above, double true_positive_rate, double false_positive_rate);

struct AdjustedCount {
    double fraction = 0;
    double standard_error = 0; //!< of sampling on all three sides; the choice of the threshold is not in it
    double threshold = 0;      //!< the score above which TPR - FPR is largest
};

//! The same from three sides of scores, each non-empty and ascending. Standard error by the delta method:
//! [ r(1-r)/n_U + p^2 TPR(1-TPR)/n_M + (1-p)^2 FPR(1-FPR)/n_N ]/(TPR - FPR)^2. None where TPR - FPR < 0.05:
//! such members cannot be told from non-members.
std::optional<AdjustedCount> adjusted_count(std::span<double const> suspects, std::span<double const> members,
                                            std::span<double const> reference);

//! Prior of class "member" that maximises the likelihood of suspects whose calibrated posteriors [n] were
//! computed with the prior given, by expectation maximisation (Saerens, Latinne and Decaestecker 2002, EMQ).
//! Posteriors in [0, 1], prior in (0, 1), n > 0.
double emq(std::span<double const> posteriors, double prior);

//! The same with posteriors from a logistic fit of the score, members against reference (Platt's
//! calibration). None where the fit sees no difference. Each side non-empty and ascending.
std::optional<double> emq(std::span<double const> suspects, std::span<double const> members,
                          std::span<double const> reference);

//! Both, as an audit reports them.
struct KnownMembers {
    std::size_t n = 0;
    std::optional<AdjustedCount> counted;
    std::optional<double> emq;
};

} // namespace assay::usage
