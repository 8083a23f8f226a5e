#include "assay/usage/estimators.hpp"

#include "assay/base/stats.hpp"

#include <algorithm>
#include <cmath>

namespace assay::usage {

Estimates estimate(ScorePair const& scores, std::size_t count) {
    auto const& [u, n] = scores;
    std::vector<double> const suspects = sorted(u.z);
    std::vector<double> const reference = sorted(n.z);
    ScoreView const view{suspects, reference, u.block_a, u.block_b, n.block_a, n.block_b};
    Estimates estimates;
    for (std::size_t e = 0; e < count; ++e)
        estimates[e] = kEstimators[e].function(view);
    return estimates;
}

double low_end_rise(std::span<double const> suspects, std::span<double const> reference) {
    auto const below = [](std::span<double const> scores, double limit) {
        return static_cast<double>(std::upper_bound(scores.begin(), scores.end(), limit) - scores.begin());
    };
    double const first = quantile_sorted(reference, 0.1), second = quantile_sorted(reference, 0.2);
    double const u1 = below(suspects, first), u2 = below(suspects, second) - u1;
    double const n1 = below(reference, first), n2 = below(reference, second) - n1;
    // Half a count each, so that empty tenths stay finite
    double const rise = std::log((u2 + 0.5) / (u1 + 0.5)) - std::log((n2 + 0.5) / (n1 + 0.5));
    return rise / std::sqrt(1 / (u1 + 0.5) + 1 / (u2 + 0.5) + 1 / (n1 + 0.5) + 1 / (n2 + 0.5));
}

} // namespace assay::usage
