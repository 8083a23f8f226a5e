#include "assay/valuation/valuation.hpp"

#include <spdlog/fmt/fmt.h>

namespace assay::valuation {

namespace {

std::string percent(double share) {
    return fmt::format("{:.1f} %", 100 * share);
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
        "Intervals and standard errors cover the finite generated sample only: generator and training "
        "are taken as they are.");
    result.push_back(
        fmt::format("Samples with credit 0 were among the k nearest of no generated sample, or weighed "
                    "nothing there; coverage is "
                    "{}. {} samples are in fewer than {} lists: their standard errors are not to be trusted.",
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
                        "samples' labels, truncated: "
                        "each is off by at most {:.3g}. They are not the Shapley values of the generator.",
                        valuation.shapley->k, valuation.shapley->error));
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
