#include "assay/usage/estimators.hpp"

#include "assay/base/stats.hpp"

#include <algorithm>
#include <cmath>

namespace assay::usage {

namespace {

constexpr std::size_t kMostPoints = 1000;
// In standard deviations of the reference. One for both sides, against the published 0.05 and 0.1: smoothed
// alike, the suspects stay the same mixture of the smoothed sides, also where scores are few discrete values
constexpr double kBandwidth = 0.1;
// The median runs over so large a share of the points; without it, the largest ratio is that of the few
// lowest suspects
constexpr double kMedianShare = 0.05;

// At most kMostPoints evenly spaced order statistics
std::vector<double> thinned(std::span<double const> ascending) {
    std::size_t const n = std::min(ascending.size(), kMostPoints);
    std::vector<double> points;
    for (std::size_t i = 0; i < n; ++i)
        points.push_back(ascending[(2 * i + 1) * ascending.size() / (2 * n)]);
    return points;
}

// Gaussian kernel density of a sample at z, up to a factor that the sides share
double density(std::span<double const> sample, double z, double bandwidth) {
    double sum = 0;
    for (double x : sample) {
        double const t = (z - x) / bandwidth;
        sum += std::exp(-t * t / 2);
    }
    return sum / static_cast<double>(sample.size());
}

std::vector<double> running_median(std::span<double const> y) {
    auto const half = static_cast<std::size_t>(kMedianShare / 2 * static_cast<double>(y.size()));
    std::vector<double> medians;
    for (std::size_t i = 0; i < y.size(); ++i) {
        std::size_t const first = i > half ? i - half : 0;
        std::size_t const last = std::min(i + half + 1, y.size());
        medians.push_back(quantile_sorted(sorted(y.subspan(first, last - first)), 0.5));
    }
    return medians;
}

// f_N/f_U at the suspects, from the highest score to the lowest, so that it must not fall. Of mean 1, as it
// is but for noise: otherwise dedpul_em() would have no fixed point but 1, or none to climb to
std::vector<double> density_ratios(std::span<double const> suspects, std::span<double const> reference,
                                   double bandwidth) {
    std::vector<double> ratios;
    for (double z : suspects)
        ratios.push_back(density(reference, z, bandwidth) / density(suspects, z, bandwidth));
    std::reverse(ratios.begin(), ratios.end());
    ratios = isotonic(running_median(ratios));
    double const level = mean(ratios);
    for (double& ratio : ratios)
        ratio = level > 0 ? ratio / level : 0; // 0: the suspects are nowhere near the reference
    return ratios;
}

} // namespace

double dedpul_em(std::span<double const> ratios, double start) {
    double p = start;
    for (int step = 0; step < 1000; ++step) {
        double sum = 0;
        for (double r : ratios)
            sum += std::max(0.0, 1 - (1 - p) * r);
        double const next = std::clamp(sum / static_cast<double>(ratios.size()), 0.0, 1.0);
        bool const settled = std::abs(next - p) < 1e-6;
        p = next;
        if (settled)
            break;
    }
    return p;
}

std::optional<double> dedpul(ScoreView const& scores) {
    double const width = sd(scores.reference);
    if (width <= 0)
        return std::nullopt;
    return dedpul_em(density_ratios(thinned(scores.suspects), thinned(scores.reference), kBandwidth * width),
                     0);
}

} // namespace assay::usage
