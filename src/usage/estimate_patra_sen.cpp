#include "assay/usage/estimators.hpp"

#include "assay/base/stats.hpp"

#include <algorithm>
#include <cmath>

namespace assay::usage {

namespace {

// Shares of both sides at or below every suspect score, ascending
struct Distributions {
    std::vector<double> suspects;
    std::vector<double> reference;
};

Distributions at_suspects(std::span<double const> suspects, std::span<double const> reference) {
    auto const share = [](std::span<double const> x, double c) {
        return static_cast<double>(std::upper_bound(x.begin(), x.end(), c) - x.begin()) /
               static_cast<double>(x.size());
    };
    Distributions at;
    for (double z : suspects) {
        at.suspects.push_back(share(suspects, z));
        at.reference.push_back(share(reference, z));
    }
    return at;
}

// Root mean square distance of F_U - (1-p) F_N from p times the nearest distribution function. It is the
// published p d(p), written without a division, so that p = 0 is no special case
double distance(Distributions const& at, double p) {
    std::vector<double> rest(at.suspects.size());
    for (std::size_t i = 0; i < rest.size(); ++i)
        rest[i] = at.suspects[i] - (1 - p) * at.reference[i];
    std::vector<double> const fit = isotonic(rest);
    double sum = 0;
    for (std::size_t i = 0; i < rest.size(); ++i) {
        double const gap = rest[i] - std::clamp(fit[i], 0.0, p);
        sum += gap * gap;
    }
    return std::sqrt(sum / static_cast<double>(rest.size()));
}

} // namespace

std::optional<double> patra_sen(ScoreView const& scores) {
    Distributions const at = at_suspects(scores.suspects, scores.reference);
    double const n_u = static_cast<double>(scores.suspects.size());
    double const n_n = static_cast<double>(scores.reference.size());
    double const n = n_u * n_n / (n_u + n_n);
    double const tolerance = 0.1 * std::log(std::max(1.0, std::log(n))) / std::sqrt(n);
    if (distance(at, 0) <= tolerance)
        return 0;
    // The distance never grows with p: what p times a distribution function can be, (p' - p) F_N more can be
    // p' times one. Hence bisection instead of the published grid
    double below = 0;
    double above = 1;
    for (int step = 0; step < 20; ++step) {
        double const p = (below + above) / 2;
        (distance(at, p) <= tolerance ? above : below) = p;
    }
    return above;
}

} // namespace assay::usage
