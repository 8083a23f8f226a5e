#include "assay/valuation/outliers.hpp"

#include "assay/base/random.hpp"
#include "assay/base/stats.hpp"
#include "assay/valuation/removal.hpp"

#include <boost/math/distributions/normal.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace assay::valuation {

namespace {

std::vector<double> as_double(std::span<std::int64_t const> values) {
    return {values.begin(), values.end()};
}

// Of each of `values`, the share of `among` that is smaller, equal ones counting half; `among` ascending
std::vector<double> places(std::span<double const> values, std::span<double const> among) {
    std::vector<double> result;
    for (double value : values) {
        auto const [low, high] = std::equal_range(among.begin(), among.end(), value);
        result.push_back((static_cast<double>(low - among.begin()) + 0.5 * static_cast<double>(high - low)) /
                         static_cast<double>(among.size()));
    }
    return result;
}

// Outliers looked for from the lowest score up, group by group of equal scores
void add_precision(std::span<double const> scores, std::span<std::uint8_t const> is_outlier,
                   std::size_t outliers, OutlierDetection& detection) {
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
    auto const wanted = static_cast<double>(outliers);
    double seen = 0, found = 0, among_lowest = 0;
    for (auto first = order.begin(); first != order.end();) {
        auto const last =
            std::find_if(first, order.end(), [&](std::size_t row) { return scores[row] != scores[*first]; });
        auto const size = static_cast<double>(last - first);
        auto const here = static_cast<double>(
            std::count_if(first, last, [&](std::size_t row) { return is_outlier[row] != 0; }));
        among_lowest += here * std::clamp((wanted - seen) / size, 0.0, 1.0);
        seen += size;
        found += here;
        detection.average_precision += here / wanted * found / seen;
        first = last;
    }
    detection.precision = among_lowest / wanted;
}

} // namespace

OutlierDetection detect_outliers(std::span<double const> scores, std::span<std::uint8_t const> is_outlier,
                                 double confidence) {
    std::vector<double> outliers, others;
    for (std::size_t i = 0; i < scores.size(); ++i)
        (is_outlier[i] ? outliers : others).push_back(scores[i]);
    std::sort(outliers.begin(), outliers.end());
    std::sort(others.begin(), others.end());
    std::vector<double> const of_others = places(others, outliers), of_outliers = places(outliers, others);
    OutlierDetection detection;
    detection.auroc = mean(of_others);
    double const variance = std::pow(sd(of_others), 2) / static_cast<double>(others.size()) +
                            std::pow(sd(of_outliers), 2) / static_cast<double>(outliers.size());
    double const width =
        boost::math::quantile(boost::math::normal(), (1 + confidence) / 2) * std::sqrt(variance);
    detection.interval = {std::max(0.0, detection.auroc - width), std::min(1.0, detection.auroc + width)};
    add_precision(scores, is_outlier, outliers.size(), detection);
    return detection;
}

std::optional<OutlierScores> score_outliers(RowScores const& scores, std::span<std::uint8_t const> is_outlier,
                                            double confidence, std::uint64_t seed) {
    OutlierScores result;
    result.rows = is_outlier.size();
    result.outliers = static_cast<std::uint64_t>(
        std::count_if(is_outlier.begin(), is_outlier.end(), [](std::uint8_t flag) { return flag != 0; }));
    if (result.outliers == 0 || result.outliers == result.rows)
        return std::nullopt;
    auto const detect = [&](std::span<double const> of) {
        return detect_outliers(of, is_outlier, confidence);
    };
    result.credit = detect(scores.credit);
    result.tie_broken = detect(tie_broken_scores(scores.credit, scores.mean_distance));
    result.uniform = detect(as_double(scores.hits));
    if (!scores.pixel_hits.empty())
        result.pixels = detect(as_double(scores.pixel_hits));
    std::vector<double> random;
    std::uint64_t others_with_credit = 0;
    for (std::size_t i = 0; i < result.rows; ++i) {
        random.push_back(Random(seed, "valuation random values", scores.ids[i]).uniform());
        (is_outlier[i] ? result.outliers_hit : others_with_credit) += scores.credit[i] > 0;
    }
    result.random = detect(random);
    result.coverage =
        static_cast<double>(others_with_credit) / static_cast<double>(result.rows - result.outliers);
    result.expected = (1 + result.coverage) / 2;
    return result;
}

} // namespace assay::valuation
