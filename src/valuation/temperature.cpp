#include "assay/valuation/temperature.hpp"

#include "assay/base/elementary.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace assay::valuation {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::array<std::string_view, 5> kNames{"perplexity", "median_gap", "paper", "uniform", "top1"};

void share_among_first(std::size_t n, std::span<double> weights) {
    std::fill(weights.begin(), weights.end(), 0);
    std::fill_n(weights.begin(), n, 1 / static_cast<double>(n));
}

double uniform(std::span<double> weights) {
    share_among_first(weights.size(), weights);
    return kInfinity;
}

// Entropy in nats of weights ~ exp(-beta x), which are left in `weights`
double boltzmann(double beta, double first, double scale, std::span<double const> distances,
                 std::span<double> weights) {
    double sum = 0, energy = 0;
    for (std::size_t r = 0; r < weights.size(); ++r) {
        double const x = (distances[r] - first) / scale;
        weights[r] = portable_exp(-beta * x);
        sum += weights[r];
        energy += weights[r] * x;
    }
    for (double& weight : weights)
        weight /= sum;
    return portable_log(sum) + beta * energy / sum;
}

// Bisection: the entropy falls strictly with beta, dH/dbeta = -beta Var(x)
double solve_perplexity(double perplexity, std::span<double const> distances, std::span<double> weights) {
    double const first = distances.front(), gap = distances.back() - first;
    auto const ties = static_cast<std::size_t>(std::upper_bound(distances.begin(), distances.end(), first) -
                                               distances.begin());
    if (!(gap > 0) || perplexity >= static_cast<double>(distances.size()))
        return uniform(weights);
    if (perplexity <= static_cast<double>(ties)) {
        share_among_first(ties, weights);
        return 0;
    }
    double const wanted = portable_log(perplexity);
    double low = 0, high = 1;
    while (high < 0x1p1000 && boltzmann(high, first, gap, distances, weights) > wanted) {
        low = high;
        high *= 2;
    }
    for (;;) {
        double const middle = low + (high - low) / 2;
        if (middle <= low || middle >= high) // the two are neighbours
            break;
        (boltzmann(middle, first, gap, distances, weights) > wanted ? low : high) = middle;
    }
    boltzmann(high, first, gap, distances, weights);
    return gap / high;
}

} // namespace

std::optional<Temperature> temperature_of(std::string_view name) {
    auto const found = std::ranges::find(kNames, name);
    if (found == kNames.end())
        return std::nullopt;
    return static_cast<Temperature>(found - kNames.begin());
}

std::string_view to_string(Temperature mode) {
    return kNames[static_cast<std::size_t>(mode)];
}

double weigh(Weighting const& weighting, std::span<double const> distances, std::span<double> weights) {
    switch (weighting.mode) {
    case Temperature::perplexity:
        return solve_perplexity(weighting.perplexity, distances, weights);
    case Temperature::median_gap:
        if (!(weighting.gap > 0))
            return uniform(weights);
        boltzmann(1, distances.front(), weighting.gap, distances, weights);
        return weighting.gap;
    case Temperature::paper:
        boltzmann(1, distances.front(), 1, distances, weights);
        return 1;
    case Temperature::uniform:
        return uniform(weights);
    case Temperature::top1:
        share_among_first(1, weights);
        return 0;
    }
    return 0;
}

double effective_number(std::span<double const> weights) {
    double entropy = 0;
    for (double weight : weights)
        if (weight > 0)
            entropy -= weight * portable_log(weight);
    return portable_exp(entropy);
}

} // namespace assay::valuation
