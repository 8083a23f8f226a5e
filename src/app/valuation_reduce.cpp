#include "app/valuation_reduce.hpp"

#include "assay/base/log.hpp"
#include "assay/valuation/columns.hpp"
#include "assay/valuation/removal.hpp"

#include <algorithm>

namespace assay::app {

ReducedValuation reduce_valuation(std::filesystem::path const& results, job::Job const& job,
                                  std::string const& name, bool by_hand) {
    valuation::ValuationInput input = valuation::read_columns(results);
    valuation::ValuationOptions options = valuation::options_of(job);
    if (by_hand)
        options.space = "given";
    // Lists of all there are cannot be longer
    if (by_hand || input.neighbours.k == static_cast<std::int64_t>(input.ids.size()))
        options.k = std::min(options.k, input.neighbours.k);
    if (!job.valuation.lds.empty())
        input.subset_models.emplace(job.valuation.lds, input.ids, input.generated_ids);
    valuation::Valuation valuation = valuation::value(input, options);
    auto outliers = report::read_outlier_scores(results, valuation, input.ids);
    return {std::move(valuation),
            {name, std::move(input.ids), std::move(input.generated_ids), std::move(outliers)}};
}

void write_removal_lists(std::filesystem::path const& folder, ReducedValuation const& reduced,
                         job::Job const& job) {
    if (job.valuation.removal_share == 0)
        return;
    valuation::RemovalLists const lists = valuation::removal_lists(
        reduced.valuation.credit, reduced.valuation.mean_distance, reduced.context.ids,
        job.valuation.removal_share, static_cast<std::uint64_t>(job.job.seed));
    if (lists.tied > 0)
        spdlog::warn("{}: {} of the {} samples were drawn among ones of equal credit and distance",
                     (folder / "removal/bottom.h5").string(), lists.tied, lists.bottom.size());
    valuation::write_removal_lists(folder / "removal", lists);
}

} // namespace assay::app
