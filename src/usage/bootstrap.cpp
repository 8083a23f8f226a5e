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
        Estimates const estimates = scores.suspects.z.empty() ? Estimates{} : estimate(scores, kResampled);
        Replicate& replicate = replicates.emplace_back();
        for (std::size_t e = 0; e < kResampled; ++e)
            replicate[e] = estimates[e].value_or(kNone);
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
