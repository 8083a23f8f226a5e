#include "assay/usage/estimators.hpp"

#include "assay/usage/bounds.hpp"

#include <algorithm>
#include <cmath>

namespace assay::usage {

namespace {

// Below a tenth of the reference the ratio of two small counts is mostly noise
constexpr double kSmallestReferenceShare = 0.1;

} // namespace

std::optional<double> best_bin(ScoreView const& scores) {
    constexpr double d = 0.1;
    constexpr double g = 0.01;
    double const slack =
        (1 + g) * (std::sqrt(std::log(4 / d) / (2 * static_cast<double>(scores.suspects.size()))) +
                   std::sqrt(std::log(4 / d) / (2 * static_cast<double>(scores.reference.size()))));
    double smallest = INFINITY;
    double ratio = 1;
    for (Shares const& q : shares_at_reference(scores.suspects, scores.reference)) {
        double const limit = (q.suspects + slack) / q.reference;
        if (q.reference >= kSmallestReferenceShare && limit < smallest) {
            smallest = limit;
            ratio = q.suspects / q.reference;
        }
    }
    return std::clamp(1 - ratio, 0.0, 1.0);
}

} // namespace assay::usage
