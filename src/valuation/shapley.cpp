#include "assay/valuation/shapley.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace assay::valuation {

void shapley_of_list(std::span<std::uint8_t const> matches, std::int64_t k, std::uint64_t rows,
                     std::span<double> values) {
    std::size_t const length = matches.size();
    auto const neighbours = static_cast<double>(k);
    // Not matches/rows as in public code: that is wrong where rows < K
    values[length - 1] =
        length == rows ? matches[length - 1] / std::max(neighbours, static_cast<double>(rows)) : 0;
    for (std::size_t r = length - 1; r > 0; --r) {
        auto const rank = static_cast<double>(r);
        values[r - 1] =
            values[r] + (matches[r - 1] - matches[r]) / neighbours * std::min(neighbours, rank) / rank;
    }
}

ShapleySum::ShapleySum(std::uint64_t rows, std::int64_t k, std::uint64_t most_queries)
    : k_(k), bits_(std::min(40, 62 - static_cast<int>(std::bit_width(most_queries)))), sums_(rows) {}

void ShapleySum::add(std::span<std::int64_t const> rows, std::span<std::uint8_t const> matches) {
    ++queries_;
    of_query_.resize(matches.size());
    shapley_of_list(matches, k_, sums_.size(), of_query_);
    for (std::size_t r = 0; r < rows.size(); ++r)
        sums_[static_cast<std::size_t>(rows[r])] += std::llrint(std::ldexp(of_query_[r], bits_));
}

std::vector<double> ShapleySum::values() const {
    std::vector<double> values(sums_.size());
    double const scale = queries_ == 0 ? 0 : std::ldexp(1.0, -bits_) / static_cast<double>(queries_);
    std::transform(sums_.begin(), sums_.end(), values.begin(),
                   [scale](std::int64_t sum) { return static_cast<double>(sum) * scale; });
    return values;
}

} // namespace assay::valuation
