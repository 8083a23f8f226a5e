#include "assay/usage/ladder.hpp"

#include "assay/usage/score.hpp"

#include <algorithm>
#include <functional>

namespace assay::usage {

namespace {

SignalTable differences(SignalTable const& lower, SignalTable const& upper) {
    SignalTable table = lower;
    for (std::size_t k = 0; k < table.columns.size(); ++k)
        std::ranges::transform(lower.columns[k], upper.columns[k], table.columns[k].begin(), std::minus<>());
    return table;
}

// `step` with the change of location and scale that there is from the step above to it, once more
SignalTable extrapolated(SignalTable const& step, SignalTable const& above) {
    SignalScale const here = fit_scale(step), there = fit_scale(above);
    SignalTable table = step;
    for (std::size_t k = 0; k < table.columns.size(); ++k) {
        double const stretch = here.width[k] > 0 && there.width[k] > 0 ? here.width[k] / there.width[k] : 1;
        double const centre = 2 * here.centre[k] - there.centre[k];
        for (double& value : table.columns[k])
            value = centre + (value - here.centre[k]) * stretch;
    }
    return table;
}

} // namespace

Ladder steps_of(Rungs const& rungs) {
    std::array<SignalTable, kSteps> steps;
    for (std::size_t k = 0; k < kSteps; ++k)
        steps[k] = differences(rungs[k], rungs[k + 1]);
    return {steps[0], extrapolated(steps[1], steps[2]), steps[1], extrapolated(steps[2], steps[3])};
}

} // namespace assay::usage
