#include "assay/usage/estimators.hpp"

#include "assay/base/stats.hpp"

#include <cmath>

namespace assay::usage {

namespace {

// D/se of both blocks below which D_a D_b has no reliable sign, let alone size
constexpr double kMomentGate = 3;

double standard_error(std::span<double const> x, std::span<double const> y) {
    double const nx = static_cast<double>(x.size());
    double const ny = static_cast<double>(y.size());
    return std::sqrt(covariance(x, x) / nx + covariance(y, y) / ny);
}

} // namespace

std::optional<double> covariance_moment(ScoreView const& scores) {
    if (scores.suspects_a.empty() || scores.suspects_b.empty())
        return std::nullopt;
    double const d_a = mean(scores.suspects_a) - mean(scores.reference_a);
    double const d_b = mean(scores.suspects_b) - mean(scores.reference_b);
    if (!(d_a > kMomentGate * standard_error(scores.suspects_a, scores.reference_a)) ||
        !(d_b > kMomentGate * standard_error(scores.suspects_b, scores.reference_b)))
        return std::nullopt;
    double const c =
        covariance(scores.suspects_a, scores.suspects_b) - covariance(scores.reference_a, scores.reference_b);
    // C <= 0 contradicts p < 1 under the model; the nearest admissible value is 1
    return c <= 0 ? 1 : d_a * d_b / (d_a * d_b + c);
}

} // namespace assay::usage
