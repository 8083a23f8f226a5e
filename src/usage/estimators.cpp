#include "assay/usage/estimators.hpp"

#include "assay/base/stats.hpp"
#include "assay/usage/bounds.hpp"

#include <algorithm>
#include <cmath>

namespace assay::usage {

namespace {

// Below a tenth of the reference the ratio of two small counts is mostly noise
constexpr double kSmallestReferenceShare = 0.1;

constexpr std::size_t kBins = 5;
constexpr std::size_t kMinimumBinRows = 5;

// D/se of both blocks below which D_a D_b has no reliable sign, let alone size
constexpr double kMomentGate = 3;

double standard_error(std::span<double const> x, std::span<double const> y) {
    double const nx = static_cast<double>(x.size());
    double const ny = static_cast<double>(y.size());
    return std::sqrt(covariance(x, x) / nx + covariance(y, y) / ny);
}

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

double best_bin(std::span<double const> suspects, std::span<double const> reference) {
    constexpr double d = 0.1;
    constexpr double g = 0.01;
    double const slack = (1 + g) * (std::sqrt(std::log(4 / d) / (2 * static_cast<double>(suspects.size()))) +
                                    std::sqrt(std::log(4 / d) / (2 * static_cast<double>(reference.size()))));
    double smallest = INFINITY;
    double ratio = 1;
    for (Shares const& q : shares_at_reference(suspects, reference)) {
        double const limit = (q.suspects + slack) / q.reference;
        if (q.reference >= kSmallestReferenceShare && limit < smallest) {
            smallest = limit;
            ratio = q.suspects / q.reference;
        }
    }
    return std::clamp(1 - ratio, 0.0, 1.0);
}

double density_ratio(std::span<double const> suspects, std::span<double const> reference) {
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

std::optional<double> covariance_moment(Scores const& suspects, Scores const& reference) {
    if (suspects.block_a.empty() || suspects.block_b.empty())
        return std::nullopt;
    double const d_a = mean(suspects.block_a) - mean(reference.block_a);
    double const d_b = mean(suspects.block_b) - mean(reference.block_b);
    if (!(d_a > kMomentGate * standard_error(suspects.block_a, reference.block_a)) ||
        !(d_b > kMomentGate * standard_error(suspects.block_b, reference.block_b)))
        return std::nullopt;
    double const c =
        covariance(suspects.block_a, suspects.block_b) - covariance(reference.block_a, reference.block_b);
    // C <= 0 contradicts p < 1 under the model; the nearest admissible value is 1
    return c <= 0 ? 1 : d_a * d_b / (d_a * d_b + c);
}

std::optional<double> em_shared_width(std::span<double const> suspects, std::span<double const> reference) {
    double const n = static_cast<double>(suspects.size());
    double const centre = mean(reference);
    double const width = sd(reference);
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

Estimates estimate(ScorePair const& scores) {
    std::vector<double> const u = sorted(scores.suspects.z);
    std::vector<double> const n = sorted(scores.reference.z);
    return {best_bin(u, n), density_ratio(u, n), covariance_moment(scores.suspects, scores.reference),
            em_shared_width(u, n)};
}

} // namespace assay::usage
