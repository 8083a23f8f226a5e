#include "assay/base/stats.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace assay {

double mean(std::span<double const> x) {
    double sum = 0;
    for (double v : x)
        sum += v;
    return x.empty() ? 0 : sum / static_cast<double>(x.size());
}

double covariance(std::span<double const> x, std::span<double const> y) {
    if (x.size() < 2)
        return 0;
    double const mx = mean(x);
    double const my = mean(y);
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
        sum += (x[i] - mx) * (y[i] - my);
    return sum / static_cast<double>(x.size() - 1);
}

double sd(std::span<double const> x) {
    return std::sqrt(covariance(x, x));
}

double quantile_sorted(std::span<double const> ascending, double level) {
    double const position = level * static_cast<double>(ascending.size() - 1);
    auto const below = static_cast<std::size_t>(position);
    std::size_t const above = std::min(below + 1, ascending.size() - 1);
    double const weight = position - static_cast<double>(below);
    return ascending[below] + weight * (ascending[above] - ascending[below]);
}

std::vector<double> quantiles(std::vector<double> x, std::span<double const> levels) {
    std::vector<double> values;
    auto begin = x.begin();
    for (double level : levels) {
        double const position = level * static_cast<double>(x.size() - 1);
        auto const below = x.begin() + static_cast<std::ptrdiff_t>(position);
        std::nth_element(begin, below, x.end());
        double const next = below + 1 == x.end() ? *below : *std::min_element(below + 1, x.end());
        values.push_back(*below + (position - static_cast<double>(below - x.begin())) * (next - *below));
        begin = below; // all before it are smaller
    }
    return values;
}

std::vector<double> sorted(std::span<double const> x) {
    std::vector<double> copy(x.begin(), x.end());
    std::sort(copy.begin(), copy.end());
    return copy;
}

std::vector<double> isotonic(std::span<double const> y) {
    struct Block {
        double sum;
        std::size_t size;
        double mean() const { return sum / static_cast<double>(size); }
    };
    std::vector<Block> blocks;
    for (double value : y) {
        Block last{value, 1};
        for (; !blocks.empty() && blocks.back().mean() >= last.mean(); blocks.pop_back()) {
            last.sum += blocks.back().sum;
            last.size += blocks.back().size;
        }
        blocks.push_back(last);
    }
    std::vector<double> fit;
    fit.reserve(y.size());
    for (Block const& block : blocks)
        fit.insert(fit.end(), block.size, block.mean());
    return fit;
}

double auc(std::span<double const> positives, std::span<double const> negatives) {
    std::vector<double> const ascending = sorted(negatives);
    double wins = 0;
    for (double p : positives) {
        auto const [low, high] = std::equal_range(ascending.begin(), ascending.end(), p);
        wins += static_cast<double>(low - ascending.begin()) + 0.5 * static_cast<double>(high - low);
    }
    return wins / (static_cast<double>(positives.size()) * static_cast<double>(negatives.size()));
}

double auc_se(double a, std::size_t n_positive, std::size_t n_negative) {
    double const np = static_cast<double>(n_positive);
    double const nn = static_cast<double>(n_negative);
    double const q1 = a / (2 - a);
    double const q2 = 2 * a * a / (1 + a);
    return std::sqrt((a * (1 - a) + (np - 1) * (q1 - a * a) + (nn - 1) * (q2 - a * a)) / (np * nn));
}

} // namespace assay
