#include "assay/usage/score.hpp"

#include "assay/base/stats.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace assay::usage {

namespace {

// One wild signal of one item must not outvote all others
constexpr double kClip = 6;

std::vector<double> mean_of_signals(SignalTable const& table, SignalScale const& scale,
                                    std::span<std::size_t const> signals) {
    std::vector<double> score(table.rows(), 0.0);
    for (std::size_t k : signals)
        for (std::size_t i = 0; i < score.size(); ++i)
            score[i] += std::clamp((table.columns[k][i] - scale.centre[k]) / scale.width[k], -kClip, kClip);
    for (double& s : score)
        s /= static_cast<double>(signals.size());
    return score;
}

} // namespace

bool is_confidence_signal(std::string const& name) {
    static constexpr std::array<std::string_view, 4> kNames{"loss", "logit", "margin", "modified_entropy"};
    return std::find(kNames.begin(), kNames.end(), name) != kNames.end() || name.starts_with("min_k_");
}

SignalBlocks split_blocks(SignalTable const& table) {
    SignalBlocks blocks;
    for (std::size_t k = 0; k < table.names.size(); ++k)
        (is_confidence_signal(table.names[k]) ? blocks.a : blocks.b).push_back(k);
    return blocks;
}

SignalScale fit_scale(SignalTable const& reference) {
    SignalScale scale;
    for (std::vector<double> const& column : reference.columns) {
        std::vector<double> const at = quantiles(column, std::array{0.16, 0.5, 0.84});
        scale.centre.push_back(at[1]);
        scale.width.push_back((at[2] - at[0]) / 2);
    }
    return scale;
}

std::vector<std::size_t> usable_signals(SignalScale const& scale) {
    std::vector<std::size_t> usable;
    for (std::size_t k = 0; k < scale.width.size(); ++k)
        if (scale.width[k] > 0)
            usable.push_back(k);
    return usable;
}

Scores zsum(SignalTable const& table, SignalScale const& scale) {
    std::vector<std::size_t> const usable = usable_signals(scale);
    if (usable.empty())
        return {};
    SignalBlocks blocks = split_blocks(table);
    auto const unusable = [&](std::size_t k) { return scale.width[k] <= 0; };
    std::erase_if(blocks.a, unusable);
    std::erase_if(blocks.b, unusable);
    Scores scores{mean_of_signals(table, scale, usable), {}, {}};
    if (!blocks.a.empty() && !blocks.b.empty()) {
        scores.block_a = mean_of_signals(table, scale, blocks.a);
        scores.block_b = mean_of_signals(table, scale, blocks.b);
    }
    return scores;
}

ScorePair zsum(SignalTable const& suspects, SignalTable const& reference) {
    SignalScale const scale = fit_scale(reference);
    return {zsum(suspects, scale), zsum(reference, scale)};
}

} // namespace assay::usage
