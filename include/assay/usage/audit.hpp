//! The whole fit: from signals of the suspects and of a reference to a bound, an estimate or a refusal.
#pragma once

#include "assay/usage/bootstrap.hpp"
#include "assay/usage/bounds.hpp"
#include "assay/usage/calibrate.hpp"
#include "assay/usage/duci.hpp"
#include "assay/usage/estimators.hpp"
#include "assay/usage/known_members.hpp"
#include "assay/usage/ladder.hpp"
#include "assay/usage/self_test.hpp"
#include "assay/usage/signal_table.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay::usage {

//! All tables have the same signals in the same order; ids are unique per side.
struct AuditInput {
    SignalTable suspects;
    std::vector<std::uint64_t> suspect_ids;
    SignalTable reference;                    //!< true non-members, or row i = synthetic partner of suspect i
    std::vector<std::uint64_t> reference_ids; //!< not read when paired
    bool paired = false;
    std::string partners = "given"; //!< when paired: how they were made (Construction::name), for the report
    std::vector<ConsideredPartners> considered; //!< among which choose_partners() chose, if it had a choice
    //! Only when paired: row i = the partner of partner i. Partners are compared with it, or, where there are
    //! some, these.
    std::optional<SignalTable> control, control_suspects;
    //! Only when paired: rungs 2 and up of a ladder whose rung 1 is the reference. Steps are then compared
    //! (steps_of()), and there must be no control.
    std::optional<std::array<SignalTable, kSteps - 1>> upper_rungs;
    //! Only when paired with a ladder or a control: models that were trained on known parts of the suspects.
    //! Signals are then calibrated by them (calibrate()) and compared as they are, not by steps.
    std::vector<ReferenceModel> references;
    //! Only with a held-out reference: what the reference-based baseline needs, rows as in the other tables.
    std::optional<DuciInput> duci;
    std::optional<SignalTable> members; //!< other samples that were certainly used, not among the suspects
    std::vector<std::uint64_t> member_ids;
    //! Where the tables hold a random draw of larger sides: the sides' sizes (0: the tables are all), and
    //! which of all suspects row i is (empty: the i-th).
    std::uint64_t suspects_total = 0, reference_total = 0;
    std::vector<std::uint64_t> suspect_rows;
};

struct AuditOptions {
    double confidence = 0.95; //!< in (0.5, 1)
    int bootstrap = 200;      //!< replicates, at least 1
    std::uint64_t seed = 0;
    bool logistic = false; //!< cross-fitted logistic scorer instead of the z-sum; refused when paired.
                           //!< Known members are scored by the z-sum all the same
};

//! What may be reported.
enum class Status {
    no_evidence,      //!< p = 0 is not rejected
    shift_suspect,    //!< partners shift the scores by themselves (bound against a raised reference), or may
                      //!< do so (nothing was tested: Audit::tested)
    lower_bound_only, //!< too few items, or the sides are hardly separated
    unidentified,     //!< the estimators disagree, the interval is wide, or members are too hard to tell; or
                      //!< reference models remember too little (nothing was tested)
    estimated,        //!< bound, fraction and interval
};

//! "no evidence", "shift-suspect", "lower bound only", "unidentified", "estimated".
std::string_view to_string(Status status);

//! Tests and bounds for one pair of score samples.
struct Evidence {
    TailTest tail;
    double dkw_p_value = 1;
    //! Of p = 0: twice the smaller of the two, at most 1; where the audit extrapolates dkw_p_value, since the
    //! tail is where partners fit worst.
    double p_value = 1;
    double dkw_bound = 0; //!< at the wanted confidence
    double grid_bound =
        0; //!< the same with Clopper-Pearson ends; beside the DKW bound, never the better of both
    double lower_bound = 0; //!< dkw_bound if p = 0 is rejected, else 0
};

//! The partners as if they were suspects, against their own partners. Neither holds a member: whatever shows
//! here is the generator's doing. The second generation step need not shift as the first did: this is a
//! proxy.
struct Control {
    std::vector<double> signal_shift; //!< per used signal: mean(partner - its partner)/sd(its partner)
    double score_shift = 0;           //!< the same difference of the score, in score units
    Evidence evidence;
    bool fires = false;
};

struct Audit {
    Status status = Status::no_evidence;
    std::string reason;             //!< what decided the status, one clause with its numbers
    double lower_bound = 0;         //!< on p, one-sided at the wanted confidence; 0 unless p = 0 is rejected
    std::optional<double> fraction; //!< only when estimated
    std::optional<std::pair<double, double>> interval; //!< only when estimated
    double p_value = 1;                                //!< of p = 0
    //! False: nothing can be said of this target by means of these partners and reference models; lower_bound
    //! is 0 and p_value 1 whatever `evidence` holds.
    bool tested = true;

    std::size_t n_suspects = 0; //!< that were fitted: all, or a random draw of suspects_total
    std::size_t n_reference = 0;
    std::uint64_t suspects_total = 0, reference_total = 0;
    double confidence = 0;
    //! Is what an unused suspect would score taken from how partners, further from it each time, score?
    bool extrapolates() const { return ladder || calibrated; }
    bool paired = false, ladder = false, calibrated = false;
    std::string partners;                       //!< as in the input
    std::vector<ConsideredPartners> considered; //!< the same
    std::vector<std::string> signals;           //!< those used
    std::vector<std::string> dropped;           //!< those constant over the middle of the reference
    //! Shares with a positive `margin`: what the target classifies right, if that signal is there. NaN: it
    //! is not
    double suspects_accuracy = std::numeric_limits<double>::quiet_NaN();
    double reference_accuracy = std::numeric_limits<double>::quiet_NaN();
    double auc = 0.5; //!< suspects against reference
    double auc_se = 0;
    double implied_member_auc = 0; //!< 0.5 + (auc - 0.5)/best_bin, at most 1; NaN if best_bin = 0
    double low_end_rise = 0;       //!< low_end_rise(): does the assumption behind best_bin show cracks?
    //! Against the reference, raised by `raise`.
    Evidence evidence;
    //! In score units. Where the audit extrapolates, the largest of 0, what the control shifts and what
    //! self-tests shift on average, and 1.645 standard errors of a difference of means; else 0.
    double raise = 0;
    //! Where the audit extrapolates: the bound that control samples give against theirs, raised alike. It is
    //! taken off the lower bound.
    double excess = 0;
    Estimates estimates;
    double forced_fraction = 0; //!< what `fraction` would be; not to be reported unless estimated
    std::pair<double, double> forced_interval;
    double rare_member_upper = 1; //!< rare_member_upper_bound(), part of the interval's upper end
    std::vector<Replicate> bootstrap;
    std::optional<Control> control;
    //! Only when paired, and for 200 to 20,000 suspects: what the published pipeline without held-out data
    //! would say (Lapacz et al. 2026: a scorer learnt on suspects against partners, smallest density ratio;
    //! its round trip left out). For comparison: it learns to see the generator, and is far too large at p =
    //! 0.
    std::optional<double> published;
    std::vector<SelfTest> self_tests; //!< one per reference model
    //! relative_spread(), only with reference models; else NaN
    double regime_spread = std::numeric_limits<double>::quiet_NaN();
    std::optional<Duci> duci;                  //!< only with AuditInput::duci
    std::optional<KnownMembers> known_members; //!< only with AuditInput::members
};

//! The result depends on ids and values, not on the order of the rows. Fails with Exit::data for signals that
//! are not finite, ragged or all constant, for repeated ids and for tables that do not fit together; with
//! Exit::usage for options that do not. Root only or replicated; no communication.
Audit audit_usage(AuditInput const& input, AuditOptions const& options);

//! Local. The z-sum of what audit_usage() compares (signals, steps or residuals), rows in the input's order:
//! for those who know the truth and want to know how well members are told.
ScorePair compared_scores(AuditInput const& input);

//! What a reader must be told with the numbers. held_out: the reference is data certainly not used for
//! training.
std::vector<std::string> statements(Audit const& audit, bool held_out);

} // namespace assay::usage
