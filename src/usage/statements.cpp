#include "assay/usage/audit.hpp"

#include "assay/base/error.hpp"
#include "assay/usage/choose_partners.hpp"

#include <algorithm>
#include <cmath>

namespace assay::usage {

namespace {

std::string partner_statement(Audit const& audit) {
    std::string text =
        audit.calibrated ? fmt::format("Of every signal is taken what {} models let expect that were "
                                       "trained on halves "
                                       "of the suspects, those that had not seen the suspect. How the "
                                       "target's signals follow theirs is "
                                       "learnt on partners, and assumed to be the same for unused suspects, "
                                       "if references and target memorise. ",
                                       audit.self_tests.size())
        : audit.ladder
            ? "Suspects are compared with mixtures of themselves and near suspects of their class. What a "
              "step of "
              "mixing does to unused ones is taken from the two steps above it; of an error there, the "
              "interval's upper end covers what shows one step higher. "
            : "Synthetic partners are assumed to score like unused suspects, and no interval covers a shift "
              "between them. ";
    if (!audit.control)
        return text + "The shift was not measured: no control was run.";
    auto const smaller = [](double a, double b) { return std::abs(a) < std::abs(b); };
    std::vector<double> const& shifts = audit.control->signal_shift;
    text +=
        fmt::format("{}: largest signal shift {:.2f} sd, score shift {:.3f}, "
                    "p-value {:.3g}; a proxy, since {}.",
                    audit.extrapolates() ? "The same one step higher" : "Partners against their own partners",
                    *std::max_element(shifts.begin(), shifts.end(), smaller), audit.control->score_shift,
                    audit.control->evidence.p_value,
                    audit.extrapolates() ? "steps higher up need not differ as the first ones do"
                                         : "the second generation step need not shift as the first did");
    if (!audit.tested)
        text +=
            " Nothing was tested: bound 0 and p-value 1 stand for that, and the figures beside them are no "
            "findings.";
    else if (audit.extrapolates())
        text +=
            fmt::format(" Bound and p-value are given against {} raised by {:.3f}: {}, if upwards, and 1.645 "
                        "standard errors of such a difference.",
                        audit.ladder ? "steps" : "partners", audit.raise,
                        audit.calibrated ? "that shift or the one that reference models' own unused suspects "
                                           "show, the larger"
                                         : "that shift");
    else if (audit.status == Status::shift_suspect)
        text += " Bound and p-value are given against partners raised by that score shift.";
    return text;
}

} // namespace

std::string_view to_string(Status status) {
    switch (status) {
    case Status::no_evidence:
        return "no evidence";
    case Status::shift_suspect:
        return "shift-suspect";
    case Status::lower_bound_only:
        return "lower bound only";
    case Status::unidentified:
        return "unidentified";
    case Status::estimated:
        return "estimated";
    }
    return "";
}

std::vector<std::string> statements(Audit const& audit, bool held_out) {
    std::vector<std::string> result{
        "What is measured is detectable use: items that were used but left no trace in the signals count as "
        "unused."};
    if (held_out)
        result.push_back(
            "The reference is held-out data given as certainly not used. Unused suspects are assumed "
            "to score like it: same source, same preparation. No interval covers an error of this kind.");
    else
        result.push_back(partner_statement(audit));
    result.push_back(
        "A point estimate needs a range of scores that members (almost) never reach; without one it is "
        "too small. The lower bound needs none.");
    result.push_back(
        "Used items are assumed to be chosen regardless of how hard they are; if easy or hard ones were "
        "preferred, the estimate is off.");
    if (held_out && std::isfinite(audit.reference_accuracy))
        result.push_back(fmt::format(
            "The target classifies {:.1f} % of the suspects and {:.1f} % of the reference right. If its "
            "maker "
            "reports much more, classes are numbered or samples prepared otherwise than in its training.",
            100 * audit.suspects_accuracy, 100 * audit.reference_accuracy));
    result.push_back("Near-copies of suspects elsewhere in the training data count as use.");
    if (!held_out && audit.partners != "mixtures")
        result.back() +=
            " The model is assumed not to be trained on the partners, nor the partners to be made by it or a "
            "generator of its family: they would score like members.";
    if (!audit.considered.empty())
        result.push_back(fmt::format(
            "Of several kinds of partners those were taken (\"{}\") whose self-tests came nearest "
            "to the truth, without a look at the target: {}.",
            audit.partners, in_words(audit.considered)));
    if (audit.suspects_total > audit.n_suspects || audit.reference_total > audit.n_reference)
        result.push_back(fmt::format(
            "Fitted on {} of {} suspects and {} of {} reference samples, drawn at random by their ids; the "
            "bound and the interval allow for the draw.",
            audit.n_suspects, audit.suspects_total, audit.n_reference, audit.reference_total));
    if (audit.duci)
        result.push_back(
            audit.duci->mismatch.empty()
                ? "The reference-based estimates (DUCI, loss regression) assume reference models of the "
                  "target's "
                  "recipe. Their means over held-out samples agree, which is necessary and not sufficient; "
                  "the answer "
                  "does not rest on them."
                : fmt::format(
                      "The reference models are not of the target's recipe ({}): their estimates (DUCI, loss "
                      "regression) can only rank targets.",
                      fmt::join(audit.duci->mismatch, "; ")));
    if (audit.known_members)
        result.push_back(fmt::format(
            "The two estimates from {} known members assume that those are a random draw of all used "
            "samples; the answer does not rest on them.",
            audit.known_members->n));
    if (audit.interval)
        result.push_back(fmt::format(
            "The interval's upper end assumes that members score below the reference's 10 % quantile at "
            "most {} as often as others; if they do more often, more may have been used.",
            audit.extrapolates() ? "0.3 times" : "a tenth"));
    else
        result.push_back(
            "No upper bound is given: without an assumption on members, full use is never excluded.");
    return result;
}

} // namespace assay::usage
