#include "assay/valuation/credit.hpp"

#include "assay/base/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace assay::valuation {

int credit_bits(double total_quality) {
    int exponent = 0; // 1 + total <= 2^exponent, found without rounding
    if (std::frexp(1 + total_quality, &exponent) == 0.5)
        --exponent;
    return std::min(40, 58 - exponent);
}

std::int64_t to_credit(double quality, int bits) {
    return std::llrint(
        std::ldexp(quality, bits)); // rounds half to even, the mode that every program starts in
}

void split(std::int64_t quality, std::span<double const> weights, std::span<std::int64_t> shares) {
    std::int64_t left = quality;
    for (std::size_t r = 0; r < weights.size(); ++r) {
        shares[r] = static_cast<std::int64_t>(std::floor(weights[r] * static_cast<double>(quality)));
        left -= shares[r];
    }
    shares[0] += left;
    if (shares[0] < 0)
        fail(Exit::internal, "weights of {} rows give away {} units of credit more than there are (a bug)",
             weights.size(), -shares[0]);
}

CreditSum::CreditSum(std::uint64_t rows, int bits)
    : bits_(bits), credit_(rows), half_credit_(rows), hits_(rows), squares_(rows) {}

void CreditSum::add(std::int64_t quality, std::span<std::int64_t const> rows,
                    std::span<std::int64_t const> shares, bool half) {
    ++queries_;
    total_ += quality;
    double const unit = std::ldexp(1.0, -bits_);
    for (std::size_t r = 0; r < rows.size(); ++r) {
        auto const row = static_cast<std::size_t>(rows[r]);
        double const share = static_cast<double>(shares[r]) * unit;
        credit_[row] += shares[r];
        half_credit_[row] += half ? shares[r] : 0;
        squares_[row] += share * share;
        ++hits_[row];
    }
}

void CreditSum::check_conservation() const {
    std::int64_t const found = std::accumulate(credit_.begin(), credit_.end(), std::int64_t{0});
    if (found != total_)
        fail(Exit::internal, "the rows hold {} units of credit, the queries had {} (a bug)", found, total_);
}

std::vector<double> CreditSum::values() const {
    std::vector<double> values(credit_.size());
    std::transform(
        credit_.begin(), credit_.end(), values.begin(),
        [unit = std::ldexp(1.0, -bits_)](std::int64_t c) { return static_cast<double>(c) * unit; });
    return values;
}

std::vector<double> CreditSum::standard_errors() const {
    double const m = static_cast<double>(queries_);
    std::vector<double> const sums = values();
    std::vector<double> errors(sums.size(), std::numeric_limits<double>::quiet_NaN());
    for (std::size_t i = 0; queries_ > 1 && i < sums.size(); ++i)
        errors[i] = std::sqrt(m / (m - 1) * std::max(0.0, squares_[i] - sums[i] * sums[i] / m));
    return errors;
}

} // namespace assay::valuation
