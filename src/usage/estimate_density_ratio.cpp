#include "assay/usage/estimators.hpp"

#include "assay/base/stats.hpp"

#include <algorithm>

namespace assay::usage {

namespace {

constexpr std::size_t kBins = 5;
constexpr std::size_t kMinimumBinRows = 5;

} // namespace

std::optional<double> density_ratio(ScoreView const& scores) {
    std::span<double const> const suspects = scores.suspects;
    std::span<double const> const reference = scores.reference;
    std::vector<double> pooled(suspects.size() + reference.size());
    std::merge(suspects.begin(), suspects.end(), reference.begin(), reference.end(), pooled.begin());
    double const n_u = static_cast<double>(suspects.size());
    double const n_n = static_cast<double>(reference.size());
    auto const count_up_to = [](std::span<double const> x, double c) {
        return static_cast<std::size_t>(std::upper_bound(x.begin(), x.end(), c) - x.begin());
    };
    double ratio = 1;
    std::size_t u_before = 0;
    std::size_t n_before = 0;
    for (std::size_t bin = 1; bin <= kBins; ++bin) {
        double const edge = quantile_sorted(pooled, static_cast<double>(bin) / static_cast<double>(kBins));
        std::size_t const u = count_up_to(suspects, edge);
        std::size_t const n = count_up_to(reference, edge);
        if (n - n_before >= kMinimumBinRows) {
            double const h_u = static_cast<double>(u - u_before) / n_u;
            double const h_n = static_cast<double>(n - n_before) / n_n;
            ratio = std::min(ratio, (h_u + 2 / std::min(n_u, n_n)) / h_n);
        }
        u_before = u;
        n_before = n;
    }
    return std::clamp(1 - ratio, 0.0, 1.0);
}

} // namespace assay::usage
