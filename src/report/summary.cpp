#include "assay/report/summary.hpp"

#include "assay/base/error.hpp"
#include "assay/base/stats.hpp"
#include "assay/base/version.hpp"
#include "assay/report/output_file.hpp"
#include "assay/store/array.hpp"
#include "assay/usage/choose_partners.hpp"
#include "assay/usage/columns.hpp"
#include "assay/usage/score.hpp"
#include "report/text.hpp"

#include <algorithm>
#include <cmath>

namespace assay::report {

using nlohmann::ordered_json;

namespace {

// Which of all suspects is row i of the tables
std::uint64_t row_of(usage::AuditInput const& input, std::size_t i) {
    return input.suspect_rows.empty() ? i : input.suspect_rows[i];
}

// Tiny ones underflow, and none is exactly zero
std::string p_value_text(double value) {
    return value < 1e-300 ? "< 1e-300" : fmt::format("{:.2g}", value);
}

std::string with_error(std::optional<usage::AdjustedCount> const& counted) {
    return counted ? fmt::format("{:.3f} +- {:.3f}", counted->fraction, counted->standard_error) : "-";
}

std::string rows_of(usage::KnownMembers const& known) {
    return row("  adjusted count, known members", with_error(known.counted)) +
           row("  EMQ, known members", known.emq);
}

// What is said of models that used none, and all, of what they are asked about
std::string self_tests_text(std::vector<usage::SelfTest> const& tests) {
    std::vector<std::string> none, all;
    for (usage::SelfTest const& test : tests) {
        none.push_back(fmt::format("{:.2f}", test.none));
        all.push_back(fmt::format("{:.2f}", test.all));
    }
    return fmt::format("{}; best bin of what they did not use {}, of what they used {}", tests.size(),
                       fmt::join(none, " "), fmt::join(all, " "));
}

// The reference-based baseline; withheld where the reference models are of another regime
std::string rows_of(usage::Duci const& duci) {
    if (!duci.mismatch.empty())
        return row("  DUCI: reference mismatch", fmt::format("{}", fmt::join(duci.mismatch, "; ")));
    return row("  DUCI, RMIA scores", with_error(duci.rmia)) +
           row("  DUCI, LiRA scores", with_error(duci.lira)) +
           row("  DUCI, loss regression", duci.loss_regression);
}

Truth read_truth_from(store::Handle const& file, std::filesystem::path const& results,
                      usage::AuditInput const& input) {
    store::Handle const column = store::open_array(file, results, "/truth/member");
    store::require_written(column, results, "/truth/member");
    std::uint64_t const suspects = std::max<std::uint64_t>(input.suspects_total, input.suspect_ids.size());
    if (store::type_name(column) != "uint8" || store::shape_of(column) != store::Shape{suspects})
        fail(Exit::data,
             "{}: /truth/member is {} [{}] (must be uint8 [{}], one per suspect). Write it so, or remove it",
             results.string(), store::type_name(column), fmt::join(store::shape_of(column), ", "), suspects);
    usage::ScorePair const scores = usage::compared_scores(input);
    std::vector<double> const& score = scores.suspects.z;
    std::vector<double> of_members;
    std::uint64_t members = 0;
    std::size_t next = 0; // row of the tables
    store::for_each_piece<std::uint8_t>(
        column, [&](std::uint64_t first, std::span<std::uint8_t const> piece) {
            members += piece.size() - static_cast<std::size_t>(std::ranges::count(piece, 0));
            for (; next < score.size() && row_of(input, next) < first + piece.size(); ++next)
                if (piece[row_of(input, next) - first])
                    of_members.push_back(score[next]);
        });
    Truth truth;
    truth.fraction = static_cast<double>(members) / static_cast<double>(suspects);
    truth.member_auc =
        of_members.empty() || scores.reference.z.empty() ? std::nan("") : auc(of_members, scores.reference.z);
    return truth;
}

} // namespace

std::optional<Truth> read_truth(std::filesystem::path const& results, usage::AuditInput const& input) {
    store::Handle const file = store::open_to_read(results);
    if (!store::exists(file, "/truth/member"))
        return std::nullopt;
    return store::in_file(results, Exit::data, "The file is damaged: make it again",
                          [&] { return read_truth_from(file, results, input); });
}

ordered_json summary(std::string const& name, usage::Audit const& audit, std::optional<Truth> const& truth) {
    store::Metrics const metrics = usage::metrics(audit);
    ordered_json usage;
    usage["status"] = usage::to_string(audit.status);
    usage["lower_bound"] = audit.lower_bound;
    usage["fraction"] = audit.fraction ? ordered_json(*audit.fraction) : ordered_json(nullptr);
    usage["interval"] =
        audit.interval ? ordered_json{audit.interval->first, audit.interval->second} : ordered_json(nullptr);
    usage["p_value"] = audit.p_value;
    ordered_json details;
    for (auto const& [key, value] : metrics.texts)
        details[key] = value;
    for (auto const& [key, value] : metrics.numbers)
        details[key] = number(value);
    usage["details"] = details;
    usage["statements"] = usage::statements(audit, !audit.paired);
    ordered_json all{{"name", name}, {"kind", "usage"}, {"software_version", version()}, {"usage", usage}};
    if (truth)
        all["truth"] = {{"fraction", truth->fraction}, {"member_auc", number(truth->member_auc)}};
    return all;
}

std::string table(std::string const& name, usage::Audit const& audit, std::optional<Truth> const& truth) {
    std::string text = fmt::format("\n{}: what share of the {} suspect samples trained the model?\n", name,
                                   audit.suspects_total);
    text += row("status", fmt::format("{} ({})", usage::to_string(audit.status), audit.reason));
    text += row(fmt::format("lower bound ({})", percent(audit.confidence)), audit.lower_bound);
    text += row("fraction", audit.fraction);
    text +=
        row(fmt::format("interval ({})", percent(audit.confidence)),
            audit.interval ? fmt::format("[{:.3f}, {:.3f}]", audit.interval->first, audit.interval->second)
                           : "-");
    text +=
        row("p-value of no use at all", audit.tested ? p_value_text(audit.p_value) : "nothing was tested");
    text += row("reference", fmt::format("{} {}", audit.reference_total,
                                         !audit.paired                  ? "held-out samples"
                                         : audit.partners == "mixtures" ? "mixtures of suspects"
                                         : audit.partners == "redrawn"  ? "redrawn partners"
                                                                        : "partners of the suspects"));
    if (!audit.considered.empty())
        text += row("self-tests by partners", usage::in_words(audit.considered));
    if (!audit.self_tests.empty())
        text += row("reference models", self_tests_text(audit.self_tests));
    text += row("AUC suspects vs reference", fmt::format("{:.3f} +- {:.3f}", audit.auc, audit.auc_se));
    text += "  all estimators, side by side (only best bin carries the answer):\n";
    for (std::size_t e = 0; e < usage::kEstimators.size(); ++e)
        text += row(fmt::format("  {}", usage::kEstimators[e].description), audit.estimates[e]);
    text += row("  DKW lower bound", audit.evidence.dkw_bound);
    text += row("  Clopper-Pearson lower bound", audit.evidence.grid_bound);
    if (audit.published)
        text += row("  learned scorer, as published", audit.published);
    if (audit.known_members)
        text += rows_of(*audit.known_members);
    if (audit.duci)
        text += rows_of(*audit.duci);
    if (!audit.dropped.empty())
        text += row("signals left out", fmt::format("{} (constant)", fmt::join(audit.dropped, ", ")));
    text += "This rests on:\n";
    for (std::string const& statement : usage::statements(audit, !audit.paired))
        text += "  " + statement + "\n";
    if (truth)
        text += fmt::format(
            "Truth of this experiment (not seen by the estimate): fraction {:.3f}, AUC of members {}\n",
            truth->fraction,
            std::isfinite(truth->member_auc) ? fmt::format("{:.3f}", truth->member_auc) : "-");
    return text;
}

std::string answer(usage::Audit const& audit) {
    std::string const level = percent(audit.confidence);
    if (audit.fraction && audit.interval)
        return fmt::format(
            "answer: about {:.0f} % of the suspect samples were used ({} interval {:.0f} % to {:.0f} %)",
            100 * *audit.fraction, level, 100 * audit.interval->first, 100 * audit.interval->second);
    // A bound that rests on a measured shift is for the table, not for an accusation in one line
    if (audit.lower_bound > 0 && audit.status != usage::Status::shift_suspect)
        return fmt::format("answer: {}; at least {:.0f} % of the suspect samples were used ({} confidence)",
                           usage::to_string(audit.status), std::floor(100 * audit.lower_bound), level);
    if (!audit.tested)
        return fmt::format("answer: {}; nothing can be said of this target", usage::to_string(audit.status));
    return fmt::format("answer: {}; no share can be given (p-value of no use {})",
                       usage::to_string(audit.status), p_value_text(audit.p_value));
}

void write_summary(std::filesystem::path const& folder, ordered_json const& summary, bool overwrite) {
    write_output_file(folder / "summary.json", summary.dump(2) + "\n", overwrite);
}

} // namespace assay::report
