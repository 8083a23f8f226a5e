#include "assay/usage/self_test.hpp"

#include "assay/base/stats.hpp"
#include "assay/usage/estimators.hpp"
#include "assay/usage/score.hpp"

namespace assay::usage {

namespace {

std::vector<std::size_t> rows_where(std::vector<std::uint8_t> const& flags, std::uint8_t value) {
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < flags.size(); ++i)
        if (flags[i] == value)
            rows.push_back(i);
    return rows;
}

// What the others say of the suspects that reference model `target` was trained on (member = 1), or was not:
// an audit of these alone, as if there were no others
ScorePair judged_by_others(std::span<ReferenceModel const> references, std::size_t target,
                           std::uint8_t member) {
    std::vector<std::size_t> const rows = rows_where(references[target].member, member);
    std::vector<ReferenceModel> sides;
    for (ReferenceModel const& reference : references)
        sides.push_back(take_rows(reference, rows));
    Calibrated const calibrated = calibrate(sides[target].views, sides, target);
    return zsum(calibrated.suspects, calibrated.reference);
}

} // namespace

SelfTest self_test(std::span<ReferenceModel const> references, std::size_t target) {
    SelfTest test;
    ScorePair const unused = judged_by_others(references, target, 0),
                    used = judged_by_others(references, target, 1);
    if (unused.suspects.z.empty() || used.suspects.z.empty())
        return test; // no signal has a spread: the audit itself will say so
    test.none = best_bin({sorted(unused.suspects.z), sorted(unused.reference.z)}).value();
    test.all = best_bin({sorted(used.suspects.z), sorted(used.reference.z)}).value();
    test.shift = mean(unused.suspects.z) - mean(unused.reference.z);
    return test;
}

SelfTest mean_of(std::span<SelfTest const> tests) {
    SelfTest sum;
    for (SelfTest const& test : tests) {
        sum.none += test.none;
        sum.all += test.all;
        sum.shift += test.shift;
    }
    auto const n = static_cast<double>(tests.size());
    return {sum.none / n, sum.all / n, sum.shift / n};
}

} // namespace assay::usage
