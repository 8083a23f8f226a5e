//! Score samples with a known fraction of members, for tests.
#pragma once

#include "assay/base/random.hpp"
#include "assay/usage/signal_table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace assay::usage::test {

// Distance of two unit normals with the AUC in the name: sqrt(2) times the normal quantile
inline constexpr double kGapAuc70 = 0.74161;
inline constexpr double kGapAuc80 = 1.19023;
inline constexpr double kGapAuc90 = 1.81239;
inline constexpr double kGapAuc97 = 2.65987;

//! n normal scores, the first round(p n) of them moved up by the gap, in no order.
inline std::vector<double> mixture(Random& random, std::size_t n, double p, double gap) {
    auto const members = static_cast<std::size_t>(std::lround(p * static_cast<double>(n)));
    std::vector<double> scores(n);
    for (std::size_t i = 0; i < n; ++i)
        scores[i] = random.normal() + (i < members ? gap : 0);
    return scores;
}

inline std::vector<double> ascending(std::vector<double> scores) {
    std::sort(scores.begin(), scores.end());
    return scores;
}

//! Eight classifier signals of n items: within members and within non-members every signal is the item's own
//! difficulty (a normal) plus noise, and for the first round(p n) items the gap on top.
inline SignalTable signals(Random& random, std::size_t n, double p, double gap) {
    SignalTable table{{"loss", "logit", "margin", "modified_entropy", "augmentation_mean", "augmentation_std",
                       "last_layer_gradient", "input_gradient"},
                      std::vector<std::vector<double>>(8)};
    for (double score : mixture(random, n, p, gap))
        for (std::size_t k = 0; k < 8; ++k)
            table.columns[k].push_back(static_cast<double>(k + 1) * (score + 0.2 * random.normal()) + 3);
    return table;
}

inline std::vector<std::uint64_t> ids(std::size_t n) {
    std::vector<std::uint64_t> result(n);
    for (std::size_t i = 0; i < n; ++i)
        result[i] = 7 * i + 3;
    return result;
}

} // namespace assay::usage::test
