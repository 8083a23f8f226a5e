#include "usage/decide.hpp"

#include "assay/base/error.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace assay::usage {

namespace {

// AUC(U vs N) = 0.5 + p (AUC(M vs N) - 0.5): without an excess there is nothing to divide by
constexpr double kSeparatedErrors = 2;
// Of two estimators that rest on the same assumption
constexpr double kLargestDisagreement = 0.2;
// A wider interval says hardly more than the bound alone
constexpr double kWidestInterval = 0.4;
// Below, errors of 0.2 to 0.4 were measured (docs/experiments/usage_held_out.md). Best bin is too small for
// weak members, so that the implied AUC is too large: the gate is lenient, and low_end_rise() stands beside
// it
constexpr double kWeakestMemberAuc = 0.7;
// A step carries its mixtures' noise as well: members' steps reach lower, the fraction comes out too small,
// and with it this AUC too large. Set where targets of 20 and of 6 epochs part (docs/experiments)
constexpr double kWeakestStepAuc = 0.88;
// The same of calibrated signals. Set where targets of 60 and of 12 epochs part (classifiers, tuning seeds)
constexpr double kWeakestCalibratedAuc = 0.85;
// One-sided 5 % point of the normal distribution
constexpr double kLargestRise = 1.645;

// The verdict, if reference models cannot judge this target
std::optional<Verdict> beyond_references(Audit const& audit) {
    if (audit.regime_spread < kSmallestSpread)
        return Verdict{
            Status::shift_suspect,
            fmt::format(
                "the target's answers to partners spread {:.3f} times as wide as those of reference models, "
                "less than {}: it memorises less than they, or its logits are scaled down, and how it "
                "answers unused suspects cannot be learnt from them",
                audit.regime_spread, kSmallestSpread),
            false};
    SelfTest const test = mean_of(audit.self_tests);
    if (test.none > kLargestSelfTest)
        return Verdict{
            Status::shift_suspect,
            fmt::format("of reference models that used none, the others say {:.3f} on average, more than {}",
                        test.none, kLargestSelfTest),
            false};
    if (test.all < kWeakestSelfTest)
        return Verdict{
            Status::unidentified,
            fmt::format("of reference models that used all, the others say {:.3f} on average, less than "
                        "{}: they remember too little, or partners as they do suspects",
                        test.all, kWeakestSelfTest),
            false};
    return std::nullopt;
}

// Bound and test stand: may a fraction be given?
Verdict with_bound(Audit const& audit) {
    double const disagreement = std::abs(audit.estimates[estimator("best_bin")].value() -
                                         audit.estimates[estimator("density_ratio")].value());
    double const width = audit.forced_interval.second - audit.forced_interval.first;
    if (std::min(audit.n_suspects, audit.n_reference) < kFewItems)
        return {Status::lower_bound_only,
                fmt::format("{} suspects and {} reference items, fewer than {} on a side", audit.n_suspects,
                            audit.n_reference, kFewItems)};
    if (audit.auc <= 0.5 + kSeparatedErrors * audit.auc_se)
        return {Status::lower_bound_only,
                fmt::format("AUC {:.3f} of suspects against reference is within {} standard errors of 0.5",
                            audit.auc, kSeparatedErrors)};
    if (disagreement > kLargestDisagreement)
        return {Status::unidentified, fmt::format("best bin and density ratio differ by {:.2f}, more than {}",
                                                  disagreement, kLargestDisagreement)};
    if (width > kWidestInterval)
        return {Status::unidentified,
                fmt::format("the interval is {:.2f} wide, more than {}", width, kWidestInterval)};
    double const weakest = audit.ladder       ? kWeakestStepAuc
                           : audit.calibrated ? kWeakestCalibratedAuc
                                              : kWeakestMemberAuc;
    if (!(audit.implied_member_auc >= weakest))
        return {Status::unidentified,
                fmt::format("members would be told from non-members with AUC {:.2f}, less than {}",
                            audit.implied_member_auc, weakest)};
    if (audit.low_end_rise > kLargestRise)
        return {
            Status::unidentified,
            fmt::format("suspects thin out towards the lowest scores ({:.1f} standard errors): members reach "
                        "down there, and the fraction would come out too small",
                        audit.low_end_rise)};
    return {Status::estimated, "all checks passed"};
}

} // namespace

Verdict decide(Audit const& audit) {
    double const delta = 1 - audit.confidence;
    if (audit.calibrated)
        if (auto verdict = beyond_references(audit))
            return std::move(*verdict);
    if (!(audit.evidence.p_value < delta))
        return {Status::no_evidence,
                fmt::format("p-value {:.3g} is not below {:.3g}", audit.evidence.p_value, delta)};
    if (audit.excess > 0 && audit.evidence.lower_bound == 0)
        return {Status::shift_suspect,
                fmt::format("partners against their own partners, raised alike, give a bound of {:.3f}, as "
                            "large as that of the suspects",
                            audit.excess),
                false};
    // With reference models a shift is no reason to refuse: partners may remember what their suspects were,
    // which makes the fraction too small, and the interval allows for either cause
    if (audit.control && audit.control->fires && !audit.calibrated)
        return {Status::shift_suspect,
                fmt::format("{} (score shift {:.3f}, p-value {:.3g})",
                            audit.extrapolates() ? "mixtures differ among themselves"
                                                 : "partners differ from their own partners",
                            audit.control->score_shift, audit.control->evidence.p_value)};
    return with_bound(audit);
}

} // namespace assay::usage
