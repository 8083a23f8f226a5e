#include "assay/usage/known_members.hpp"

#include "assay/base/stats.hpp"
#include "assay/usage/logistic.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace assay::usage {

namespace {

// Below, the correction multiplies every error by more than 20
constexpr double kSmallestGap = 0.05;

double share_above(std::span<double const> ascending, double threshold) {
    auto const above = ascending.end() - std::upper_bound(ascending.begin(), ascending.end(), threshold);
    return static_cast<double>(above) / static_cast<double>(ascending.size());
}

// The score above which members exceed the reference most
double best_threshold(std::span<double const> members, std::span<double const> reference) {
    double best = reference.front();
    double largest = 0;
    for (std::span<double const> side : {members, reference})
        for (double z : side)
            if (double const gap = share_above(members, z) - share_above(reference, z); gap > largest) {
                largest = gap;
                best = z;
            }
    return best;
}

} // namespace

double adjusted_count(double suspects_above, double true_positive_rate, double false_positive_rate) {
    return std::clamp((suspects_above - false_positive_rate) / (true_positive_rate - false_positive_rate),
                      0.0, 1.0);
}

std::optional<AdjustedCount> adjusted_count(std::span<double const> suspects, std::span<double const> members,
                                            std::span<double const> reference) {
    double const threshold = best_threshold(members, reference);
    double const r = share_above(suspects, threshold);
    double const tpr = share_above(members, threshold);
    double const fpr = share_above(reference, threshold);
    if (tpr - fpr < kSmallestGap)
        return std::nullopt;
    double const p = adjusted_count(r, tpr, fpr);
    auto const variance = [](double share, std::span<double const> side) {
        return share * (1 - share) / static_cast<double>(side.size());
    };
    double const sum =
        variance(r, suspects) + p * p * variance(tpr, members) + (1 - p) * (1 - p) * variance(fpr, reference);
    return AdjustedCount{p, std::sqrt(sum) / (tpr - fpr), threshold};
}

double emq(std::span<double const> posteriors, double prior) {
    double p = prior;
    for (int step = 0; step < 1000; ++step) {
        double sum = 0;
        for (double posterior : posteriors) {
            double const member = p / prior * posterior;
            double const other = (1 - p) / (1 - prior) * (1 - posterior);
            sum += member + other > 0 ? member / (member + other) : 0;
        }
        double const next = sum / static_cast<double>(posteriors.size());
        bool const settled = std::abs(next - p) < 1e-8;
        p = next;
        if (settled)
            break;
    }
    return p;
}

std::optional<double> emq(std::span<double const> suspects, std::span<double const> members,
                          std::span<double const> reference) {
    std::vector<double> x(members.begin(), members.end());
    x.insert(x.end(), reference.begin(), reference.end());
    std::vector<double> y(x.size(), 0.0);
    std::fill_n(y.begin(), members.size(), 1.0);
    double const centre = mean(x);
    double const width = sd(x);
    if (width <= 0)
        return std::nullopt;
    for (double& z : x)
        z = (z - centre) / width;
    // So weak a penalty only keeps the slope finite where the sides do not overlap
    LogisticFit const fit = fit_logistic(x, 1, y, 1e-6);
    if (fit.weights[0] <= 0)
        return std::nullopt;
    std::vector<double> posteriors;
    for (double z : suspects)
        posteriors.push_back(1 / (1 + std::exp(-fit.intercept - fit.weights[0] * (z - centre) / width)));
    return emq(posteriors, mean(y));
}

} // namespace assay::usage
