#include "assay/usage/audit.hpp"

#include "assay/base/stats.hpp"
#include "assay/usage/logistic.hpp"
#include "assay/usage/score.hpp"
#include "assay/usage/self_test.hpp"
#include "usage/audit_input.hpp"
#include "usage/decide.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::usage {

namespace {

// In sd; such a shift moves an estimate by up to 0.08 at AUC 0.8 and p = 0.5 (covariance moment)
constexpr double kLargestSignalShift = 0.1;
// The same of steps of a ladder, whose difference is noisier
constexpr double kLargestStepShift = 0.25;
// Standard errors of a difference of mean scores: one-sided 5 % point
constexpr double kRaisedErrors = 1.645;
// How often members score as low as the reference's lowest tenth, over how often others do
constexpr double kMembersThere = 0.1, kStepsOfMembersThere = 0.3;
// Stricter than the audit's own level: the control must not fire by chance
constexpr double kControlPValue = 0.01;
// Suspects that the published pipeline is computed for: its scorer takes minutes beyond
constexpr std::size_t kMostPublished = 20000;
constexpr std::size_t kBestBin = estimator("best_bin");

double accuracy(SignalTable const& table) {
    auto const margin = std::ranges::find(table.names, "margin");
    if (margin == table.names.end())
        return std::numeric_limits<double>::quiet_NaN();
    std::vector<double> const& margins =
        table.columns[static_cast<std::size_t>(margin - table.names.begin())];
    auto const right = std::ranges::count_if(margins, [](double value) { return value > 0; });
    return static_cast<double>(right) / static_cast<double>(margins.size());
}

ScorePair logistic_scores(AuditInput const& input, std::uint64_t seed) {
    auto const fit = [&](SignalTable const& suspects, SignalTable const& reference) {
        return cross_fit(suspects, input.suspect_ids, reference, input.reference_ids, seed);
    };
    CrossFit const all = fit(input.suspects, input.reference);
    ScorePair scores{{all.suspects, {}, {}}, {all.reference, {}, {}}};
    SignalBlocks const blocks = split_blocks(input.suspects);
    if (!blocks.a.empty() && !blocks.b.empty()) {
        CrossFit const a =
            fit(take_signals(input.suspects, blocks.a), take_signals(input.reference, blocks.a));
        CrossFit const b =
            fit(take_signals(input.suspects, blocks.b), take_signals(input.reference, blocks.b));
        scores.suspects.block_a = a.suspects;
        scores.suspects.block_b = b.suspects;
        scores.reference.block_a = a.reference;
        scores.reference.block_b = b.reference;
    }
    return scores;
}

Scores take_scores(Scores const& scores, std::span<std::size_t const> rows) {
    auto const take = [&](std::vector<double> const& values) {
        std::vector<double> taken;
        for (std::size_t row : rows)
            if (!values.empty())
                taken.push_back(values[row]);
        return taken;
    };
    return {take(scores.z), take(scores.block_a), take(scores.block_b)};
}

Evidence find_evidence(std::vector<double> const& suspects, std::vector<double> const& reference,
                       double delta) {
    std::vector<double> const u = sorted(suspects);
    std::vector<double> const n = sorted(reference);
    Evidence e;
    e.tail = tail_test(u, n);
    e.dkw_p_value = dkw_p_value(u, n);
    e.p_value = std::min(1.0, 2 * std::min(e.tail.p_value, e.dkw_p_value));
    e.dkw_bound = dkw_lower_bound(u, n, delta);
    e.grid_bound = grid_lower_bound(u, n, delta);
    e.lower_bound = e.p_value < delta ? e.dkw_bound : 0;
    return e;
}

Control run_control(SignalTable const& partners, SignalTable const& control, bool upwards, double delta) {
    Control result;
    std::size_t shifted = 0;
    for (std::size_t k = 0; k < partners.columns.size(); ++k) {
        double const difference = mean(partners.columns[k]) - mean(control.columns[k]);
        // A control signal without spread gives an infinite shift, or none if the partners equal it
        double const shift = difference == 0 ? 0 : difference / sd(control.columns[k]);
        result.signal_shift.push_back(shift);
        // Steps that seem less like a member's than they are make a ladder miss members, not find others
        shifted += upwards ? shift > kLargestStepShift : std::abs(shift) > kLargestSignalShift;
    }
    SignalScale const scale = fit_scale(partners);
    result.score_shift = mean(zsum(partners, scale).z) - mean(zsum(control, scale).z);
    ScorePair const scores = zsum(partners, control);
    if (!scores.suspects.z.empty())
        result.evidence = find_evidence(scores.suspects.z, scores.reference.z, delta);
    result.fires = 2 * shifted > partners.columns.size() || result.evidence.lower_bound > 0 ||
                   result.evidence.p_value < kControlPValue || scores.suspects.z.empty();
    return result;
}

// By how much a reference that is off by the control's shift moves the fraction: (1 - p) |b| / d, with d
// between members and others on average
double shift_error(Audit const& audit, ScorePair const& scores) {
    double const p = audit.forced_fraction, apart = mean(scores.suspects.z) - mean(scores.reference.z);
    return p > 0 && apart > 0 ? (1 - p) * std::abs(audit.control->score_shift) * p / apart : 1;
}

std::optional<double> published_estimate(AuditInput const& input, std::uint64_t seed) {
    if (!input.paired || input.suspects.rows() < kFewItems || input.suspects.rows() > kMostPublished ||
        usable_signals(fit_scale(input.reference)).empty())
        return std::nullopt;
    CrossFit const fit =
        cross_fit(input.suspects, input.suspect_ids, input.reference, input.suspect_ids, seed);
    return density_ratio({sorted(fit.suspects), sorted(fit.reference)});
}

// Bound and test must not take for use what tells partners from theirs anyway, or from suspects that
// reference models did not use, or the error of measuring that
double raise_of(Audit const& audit, ScorePair const& scores) {
    if (!audit.extrapolates())
        return 0;
    double const shift = audit.control->score_shift,
                 slack = kRaisedErrors * std::hypot(sd(scores.suspects.z), sd(scores.reference.z)) /
                         std::sqrt(static_cast<double>(audit.n_suspects));
    if (audit.ladder)
        return (audit.control->fires ? std::abs(shift) : std::max(0.0, shift)) + slack;
    return std::max({0.0, shift, mean_of(audit.self_tests).shift}) + slack;
}

std::vector<double> raised(std::vector<double> scores, double by) {
    for (double& z : scores)
        z += by;
    return scores;
}

// The bound that the audit's own rule gives where there is nothing to find: more than a shift may be
// different between partners and theirs
double control_bound(AuditInput const& input, double raise, double delta) {
    ScorePair const scores = zsum(*input.control_suspects, *input.control);
    if (scores.suspects.z.empty())
        return 0;
    return dkw_lower_bound(sorted(scores.suspects.z), sorted(raised(scores.reference.z, raise)), delta);
}

KnownMembers from_known_members(AuditInput const& input) {
    SignalScale const scale = fit_scale(input.reference);
    std::vector<double> const u = sorted(zsum(input.suspects, scale).z);
    std::vector<double> const m = sorted(zsum(*input.members, scale).z);
    std::vector<double> const n = sorted(zsum(input.reference, scale).z);
    return {m.size(), adjusted_count(u, m, n), emq(u, m, n)};
}

} // namespace

ScorePair compared_scores(AuditInput const& input) {
    Compared const compared = as_compared(input);
    return zsum(compared.input.suspects, compared.input.reference);
}

Audit audit_usage(AuditInput const& unordered, AuditOptions const& options) {
    check_input(unordered, options);
    double const delta = 1 - options.confidence;
    Audit audit;
    AuditInput const ordered = canonical(unordered);
    audit.published = published_estimate(ordered, options.seed);
    Compared compared = as_compared(ordered);
    audit.regime_spread = compared.spread;
    AuditInput const input = without_constant_signals(std::move(compared.input), audit.dropped);
    audit.signals = input.suspects.names;
    audit.n_suspects = input.suspects.rows();
    audit.n_reference = input.reference.rows();
    audit.suspects_total = std::max<std::uint64_t>(unordered.suspects_total, audit.n_suspects);
    audit.reference_total = std::max<std::uint64_t>(unordered.reference_total, audit.n_reference);
    audit.confidence = options.confidence;
    audit.paired = input.paired;
    audit.calibrated = !unordered.references.empty();
    audit.partners = unordered.paired ? unordered.partners : "";
    audit.considered = unordered.considered;
    audit.ladder = unordered.upper_rungs.has_value() && !audit.calibrated;
    for (std::size_t r = 0; r < ordered.references.size(); ++r)
        audit.self_tests.push_back(self_test(ordered.references, r));
    audit.suspects_accuracy = accuracy(unordered.suspects);
    audit.reference_accuracy = accuracy(unordered.reference);

    if (input.control)
        audit.control = run_control(input.control_suspects.value_or(input.reference), *input.control,
                                    audit.extrapolates(), delta);
    ScorePair const scores =
        options.logistic ? logistic_scores(input, options.seed) : zsum(input.suspects, input.reference);
    audit.auc = auc(scores.suspects.z, scores.reference.z);
    audit.auc_se = auc_se(audit.auc, audit.n_suspects, audit.n_reference);
    audit.raise = raise_of(audit, scores);
    std::vector<double> const reference = raised(scores.reference.z, audit.raise);
    audit.evidence = find_evidence(scores.suspects.z, reference, delta);
    if (audit.extrapolates()) {
        audit.excess = control_bound(input, audit.raise, delta);
        audit.evidence.p_value = audit.evidence.dkw_p_value; // the tail is where partners fit worst
        audit.evidence.lower_bound = std::max(0.0, audit.evidence.dkw_bound - audit.excess);
    }
    audit.estimates = estimate(scores);
    audit.low_end_rise = low_end_rise(sorted(scores.suspects.z), sorted(scores.reference.z));
    double const p = audit.estimates[kBestBin].value();
    audit.implied_member_auc =
        p > 0 ? std::min(1.0, 0.5 + (audit.auc - 0.5) / p) : std::numeric_limits<double>::quiet_NaN();

    // Out-of-fold logistic scores stay as they are: a refit would put copies of one item in train and test
    audit.bootstrap =
        bootstrap({audit.n_suspects, audit.n_reference, input.paired, options.bootstrap, options.seed},
                  [&](std::span<std::size_t const> u, std::span<std::size_t const> n) -> ScorePair {
                      if (options.logistic)
                          return {take_scores(scores.suspects, u), take_scores(scores.reference, n)};
                      return zsum(take_rows(input.suspects, u), take_rows(input.reference, n));
                  });
    double const drawn = replicate_quantile(audit.bootstrap, kBestBin, 1 - delta / 2);
    audit.rare_member_upper =
        rare_member_upper_bound(sorted(scores.suspects.z), sorted(scores.reference.z), delta / 2,
                                audit.extrapolates() ? kStepsOfMembersThere : kMembersThere);
    audit.forced_fraction = std::max(p, audit.evidence.lower_bound);
    // fmax passes over the NaN of a bootstrap without values
    double const upper =
        std::min(1.0, std::max(std::fmax(drawn, audit.forced_fraction), audit.rare_member_upper) +
                          (audit.extrapolates() ? shift_error(audit, scores) : 0));
    // Half the error probability at each end
    double const lower =
        audit.evidence.lower_bound > 0
            ? std::max(0.0, dkw_lower_bound(sorted(scores.suspects.z), sorted(reference), delta / 2) -
                                audit.excess)
            : 0;
    audit.forced_interval = {lower, upper};

    if (ordered.duci)
        audit.duci = duci(*ordered.duci);
    if (input.members)
        audit.known_members = from_known_members(input);
    Verdict verdict = decide(audit);
    audit.status = verdict.status;
    audit.reason = std::move(verdict.reason);
    audit.tested = verdict.tested;
    if (audit.tested) {
        audit.p_value = audit.evidence.p_value;
        audit.lower_bound = audit.evidence.lower_bound;
    }
    if (audit.status == Status::shift_suspect && !audit.extrapolates()) {
        std::vector<double> const shifted = raised(scores.reference.z, std::abs(audit.control->score_shift));
        Evidence const evidence = find_evidence(scores.suspects.z, shifted, delta);
        audit.p_value = evidence.p_value;
        audit.lower_bound = evidence.lower_bound;
    }
    if (audit.status == Status::estimated) {
        audit.fraction = audit.forced_fraction;
        audit.interval = audit.forced_interval;
    }
    return audit;
}

} // namespace assay::usage
