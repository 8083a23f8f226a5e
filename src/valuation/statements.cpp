#include "assay/valuation/valuation.hpp"

#include <spdlog/fmt/fmt.h>

#include <cmath>

namespace assay::valuation {

namespace {

std::string percent(double share) {
    return fmt::format("{:.1f} %", 100 * share);
}

// NaN if none of the checked samples has credit to give
std::string credit_text(double moved) {
    return std::isfinite(moved) ? percent(moved) : "none";
}

std::string class_text(double change) {
    return change != 0 && std::isfinite(change)
               ? fmt::format(", and change identical class at k by {:+.2g}", -change)
               : "";
}

std::string approximate_text(SearchCheck const& check, std::int64_t k) {
    return fmt::format(
        "Neighbours are approximate: recall@{} is {:.4f} (standard error {:.2g}) over {} generated "
        "samples, {:.4f} at the 5th percentile, {:.4f} at worst. Exact lists would move {} "
        "of the credit of these{}.",
        k, check.recall.value, check.recall.standard_error, check.queries, check.fifth_percentile,
        check.minimum, credit_text(check.credit_moved), class_text(check.class_change));
}

std::string reranked_text(SearchCheck const& check) {
    return fmt::format(
        "The second space orders what the first proposes: among twice the candidates the k best "
        "would be others for {} of {} generated samples. That would move {} of the credit of "
        "these{}.",
        percent(check.changed), check.queries, credit_text(check.credit_moved),
        class_text(check.class_change));
}

} // namespace

std::vector<std::string> statements(Valuation const& valuation) {
    std::vector<std::string> result;
    result.push_back("Credit measures similarity, not causal influence. On published diffusion benchmarks "
                     "plain CLIP similarity "
                     "reaches LDS 0.01 to 0.11 (raw pixels -0.05 to 0.08) where D-TRAK reaches 0.11 to 0.34. "
                     "Use features made for "
                     "the data, or supply LDS data to check.");
    result.push_back(
        "Values depend on the feature space, the distance, k, the temperature and the quality weights; "
        "all are listed above. They cannot be compared across these.");
    result.push_back(
        "Intervals and standard errors cover the finite generated sample only: generator and training are "
        "taken as they are. Each holds for one sample or group by itself; what is picked out for being "
        "largest is partly so by chance.");
    if (valuation.approximate)
        result.push_back(approximate_text(*valuation.approximate, valuation.options.k));
    if (valuation.reranked)
        result.push_back(reranked_text(*valuation.reranked));
    result.push_back(
        fmt::format("Samples with credit 0 were {} of no generated sample, or weighed "
                    "nothing there; coverage is "
                    "{}. {} samples are in fewer than {} lists: their standard errors are not to be trusted.",
                    valuation.approximate ? "found among the k nearest"
                    : valuation.reranked  ? "among the k best"
                                          : "among the k nearest",
                    percent(valuation.coverage), valuation.few_hits, kFewHits));
    if (valuation.memorisation.copying || valuation.memorisation.nearer ||
        !valuation.memorisation.candidates.empty())
        result.push_back(
            "A generated sample near a training sample need not be a copy: where samples lie dense, all "
            "are near. Look at the candidates, beside the tests where there is held-out data; these take "
            "generated samples as independent and held-out data as of the same kind.");
    if (valuation.shapley)
        result.push_back(
            fmt::format("Shapley values are those of a {}-nearest-neighbour classifier of the generated "
                        "samples' labels, truncated: {}. They are not the Shapley values of the generator.",
                        valuation.shapley->k,
                        std::isfinite(valuation.shapley->error)
                            ? fmt::format("each is off by at most {:.3g}", valuation.shapley->error)
                            : "by how much each is off is unknown, for the lists need not hold the nearest"));
    if (valuation.identical_class || !valuation.identical_attribute.empty())
        result.push_back(
            "Identical class and attributes test the features, not attribution: any nearest-neighbour "
            "method does well there.");
    for (Valuation::GroupTable const& table : valuation.groupings)
        if (table.name == "group")
            result.push_back(
                "A group's credit is the sum of its samples' credit, not a Shapley value of a game played "
                "by groups.");
    return result;
}

} // namespace assay::valuation
