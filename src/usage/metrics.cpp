#include "assay/base/error.hpp"
#include "assay/usage/choose_partners.hpp"
#include "assay/usage/columns.hpp"

#include <limits>
#include <optional>

namespace assay::usage {

namespace {

double or_nan(std::optional<double> value) {
    return value.value_or(std::numeric_limits<double>::quiet_NaN());
}

} // namespace

store::Metrics metrics(Audit const& audit) {
    double const nan = std::numeric_limits<double>::quiet_NaN();
    Control const* const control = audit.control ? &*audit.control : nullptr;
    SelfTest const self_test = mean_of(audit.self_tests);
    Duci const* const duci = audit.duci ? &*audit.duci : nullptr;
    KnownMembers const* const known = audit.known_members ? &*audit.known_members : nullptr;
    AdjustedCount const* const counted = known && known->counted ? &*known->counted : nullptr;
    store::Metrics metrics{kMetrics, {}, {}, {}};
    metrics.numbers = {
        {"lower_bound", audit.lower_bound},
        {"fraction", or_nan(audit.fraction)},
        {"interval_low", audit.interval ? audit.interval->first : nan},
        {"interval_high", audit.interval ? audit.interval->second : nan},
        {"p_value", audit.p_value},
        {"tested", audit.tested ? 1.0 : 0.0},
        {"confidence", audit.confidence},
        {"suspects", static_cast<double>(audit.n_suspects)},
        {"reference_samples", static_cast<double>(audit.n_reference)},
        {"suspects_total", static_cast<double>(audit.suspects_total)},
        {"reference_total", static_cast<double>(audit.reference_total)},
        {"suspects_accuracy", audit.suspects_accuracy},
        {"reference_accuracy", audit.reference_accuracy},
        {"auc_suspects_reference", audit.auc},
        {"auc_suspects_reference_se", audit.auc_se},
        {"implied_member_auc", audit.implied_member_auc},
        {"low_end_rise", audit.low_end_rise},
        {"unreported_fraction", audit.forced_fraction},
        {"unreported_interval_low", audit.forced_interval.first},
        {"unreported_interval_high", audit.forced_interval.second},
        {"dkw_bound", audit.evidence.dkw_bound},
        {"clopper_pearson_bound", audit.evidence.grid_bound},
        {"rare_member_upper_bound", audit.rare_member_upper},
        {"tail_p_value", audit.evidence.tail.p_value},
        {"dkw_p_value", audit.evidence.dkw_p_value},
        {"control_shift", control ? control->score_shift : nan},
        {"control_p_value", control ? control->evidence.p_value : nan},
        {"control_lower_bound", control ? control->evidence.lower_bound : nan},
        {"published_estimate", or_nan(audit.published)},
        {"reference_models", static_cast<double>(audit.self_tests.size())},
        {"self_test_none", self_test.none},
        {"self_test_shift", self_test.shift},
        {"reference_raise", audit.raise},
        {"regime_spread", audit.regime_spread},
        {"control_excess", audit.excess},
        {"self_test_all", self_test.all},
        {"duci_rmia", duci && duci->rmia ? duci->rmia->fraction : nan},
        {"duci_rmia_se", duci && duci->rmia ? duci->rmia->standard_error : nan},
        {"duci_rmia_offset", duci ? duci->offset : nan},
        {"duci_reference_auc", duci ? duci->reference_auc : nan},
        {"duci_lira", duci && duci->lira ? duci->lira->fraction : nan},
        {"duci_lira_se", duci && duci->lira ? duci->lira->standard_error : nan},
        {"duci_loss_regression", duci ? or_nan(duci->loss_regression) : nan},
        {"known_members", static_cast<double>(known ? known->n : 0)},
        {"known_members_adjusted_count", counted ? counted->fraction : nan},
        {"known_members_adjusted_count_se", counted ? counted->standard_error : nan},
        {"known_members_emq", known ? or_nan(known->emq) : nan},
    };
    for (std::size_t e = 0; e < kEstimators.size(); ++e)
        metrics.numbers.emplace_back(kEstimators[e].name, or_nan(audit.estimates[e]));
    metrics.texts = {
        {"status", std::string(to_string(audit.status))},
        {"reason", audit.reason},
        {"reference", audit.paired ? audit.partners : "held-out"},
        {"considered_partners", in_words(audit.considered)},
        {"signals", fmt::format("{}", fmt::join(audit.signals, " "))},
        {"dropped_signals", fmt::format("{}", fmt::join(audit.dropped, " "))},
        {"duci_mismatch", duci ? fmt::format("{}", fmt::join(duci->mismatch, "; ")) : std::string()}};
    std::vector<double> replicates;
    for (Replicate const& replicate : audit.bootstrap)
        replicates.insert(replicates.end(), replicate.begin(), replicate.end());
    metrics.tables = {{"bootstrap", std::move(replicates)}};
    return metrics;
}

void announce_metrics(store::ResultLayout& layout, std::int64_t bootstrap) {
    store::Metrics const empty = metrics(Audit{});
    for (auto const& [name, value] : empty.numbers)
        layout.metric_names[kMetrics].push_back(name);
    for (auto const& [name, value] : empty.texts)
        layout.metric_texts[kMetrics].push_back(name);
    std::vector<std::string_view> resampled;
    for (std::size_t e = 0; e < kResampled; ++e)
        resampled.push_back(kEstimators[e].description);
    layout.columns.push_back({std::string(kMetrics) + "/bootstrap",
                              store::native_type<double>(),
                              {static_cast<std::uint64_t>(bootstrap), std::tuple_size_v<Replicate>},
                              fmt::format("resampled estimates: {}", fmt::join(resampled, ", ")),
                              "1",
                              ""});
}

} // namespace assay::usage
