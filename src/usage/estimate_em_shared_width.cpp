#include "assay/usage/estimators.hpp"

#include "assay/base/stats.hpp"

#include <algorithm>
#include <cmath>

namespace assay::usage {

namespace {

// log(phi_M/phi_N) of two normals of one width is linear in the score
struct LogRatio {
    double slope = 0;
    double middle = 0;
    double operator()(double z) const { return slope * (z - middle); }
};

// log((1-p) + p exp(t)) without overflow
double log_mixture(double p, double t) {
    double const a = std::log1p(-p);
    double const b = std::log(p) + t;
    double const larger = std::max(a, b);
    return larger + std::log1p(std::exp(std::min(a, b) - larger));
}

} // namespace

std::optional<double> em_shared_width(ScoreView const& scores) {
    std::span<double const> const suspects = scores.suspects;
    double const n = static_cast<double>(suspects.size());
    double const centre = mean(scores.reference);
    double const width = sd(scores.reference);
    if (width <= 0)
        return std::nullopt;
    auto const log_ratio = [&](double member_mean) {
        return LogRatio{(member_mean - centre) / (width * width), (member_mean + centre) / 2};
    };
    double p = 0.5;
    double member_mean = std::max(centre, mean(suspects) + width);
    for (int step = 0; step < 300; ++step) {
        LogRatio const t = log_ratio(member_mean);
        double const prior = std::log(p) - std::log1p(-p);
        double sum = 0;
        double sum_z = 0;
        for (double z : suspects) {
            double const r = 1 / (1 + std::exp(-prior - t(z)));
            sum += r;
            sum_z += r * z;
        }
        double const next_p = sum / n;
        double const next_mean = sum > 0 ? std::max(centre, sum_z / sum) : centre;
        double const change = std::abs(next_p - p) + std::abs(next_mean - member_mean) / width;
        p = next_p;
        member_mean = next_mean;
        if (change < 1e-5)
            break;
    }
    LogRatio const t = log_ratio(member_mean);
    double gain = 0;
    for (double z : suspects)
        gain += log_mixture(p, t(z));
    return 2 * gain > 2 * std::log(n) ? std::optional(p) : std::nullopt;
}

} // namespace assay::usage
