#include "assay/usage/bootstrap.hpp"

#include "assay/base/random.hpp"
#include "assay/base/stats.hpp"

#include <cmath>
#include <limits>

namespace assay::usage {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::vector<std::size_t> draw_rows(Random& random, std::size_t n) {
    std::vector<std::size_t> rows(n);
    for (std::size_t& row : rows)
        row = random.below(n);
    return rows;
}

} // namespace

std::vector<Replicate> bootstrap(Resampling const& resampling, Rescore const& rescore) {
    std::vector<Replicate> replicates;
    for (int b = 0; b < resampling.replicates; ++b) {
        Random random(resampling.seed, "bootstrap", static_cast<std::uint64_t>(b));
        std::vector<std::size_t> const suspects = draw_rows(random, resampling.n_suspects);
        std::vector<std::size_t> const reference =
            resampling.paired ? suspects : draw_rows(random, resampling.n_reference);
        ScorePair const scores = rescore(suspects, reference);
        if (scores.suspects.z.empty()) {
            replicates.push_back({kNone, kNone, kNone, kNone});
            continue;
        }
        Estimates const e = estimate(scores);
        replicates.push_back({e.best_bin, e.density_ratio, e.covariance_moment.value_or(kNone),
                              e.em_shared_width.value_or(kNone)});
    }
    return replicates;
}

double replicate_quantile(std::span<Replicate const> replicates, std::size_t estimator, double level) {
    std::vector<double> values;
    for (Replicate const& replicate : replicates)
        if (!std::isnan(replicate[estimator]))
            values.push_back(replicate[estimator]);
    return values.empty() ? kNone : quantile_sorted(sorted(values), level);
}

} // namespace assay::usage
