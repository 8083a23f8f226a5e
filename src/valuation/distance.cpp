// Built with -ffp-contract=off: a fused multiply-add rounds once where the definition rounds twice
#include "assay/valuation/distance.hpp"

#include "assay/base/error.hpp"
#include "valuation/avx2.hpp"

#include <array>
#include <cmath>
#include <limits>

namespace assay::valuation {

namespace {

constexpr std::array<std::string_view, 4> kNames{"l2", "squared_l2", "cosine", "inner_product"};

// Norms whose squares, and those of sums of two, are finite in single precision
constexpr double kLargestNorm = 0x1p62;

// Sums term(x_c, y_c) over the columns, eight at a time
template <class Term>
[[gnu::always_inline]] inline double sum_by_eights(std::span<float const> x, std::span<float const> y,
                                                   Term term) {
    std::array<double, 8> sums{};
    std::size_t const whole = x.size() / 8 * 8;
    for (std::size_t c = 0; c < whole; c += 8)
        for (std::size_t lane = 0; lane < 8; ++lane)
            sums[lane] += term(static_cast<double>(x[c + lane]), static_cast<double>(y[c + lane]));
    for (std::size_t c = whole; c < x.size(); ++c)
        sums[c - whole] += term(static_cast<double>(x[c]), static_cast<double>(y[c]));
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

ASSAY_AVX2 double product(std::span<float const> x, std::span<float const> y) {
    return sum_by_eights(x, y, [](double a, double b) { return a * b; });
}

ASSAY_AVX2 double squared_difference(std::span<float const> x, std::span<float const> y) {
    return sum_by_eights(x, y, [](double a, double b) { return (a - b) * (a - b); });
}

} // namespace

std::string_view name_of(Distance distance) {
    return kNames[static_cast<std::size_t>(distance)];
}

Distance distance_named(std::string_view name) {
    for (std::size_t i = 0; i < kNames.size(); ++i)
        if (kNames[i] == name)
            return static_cast<Distance>(i);
    fail(Exit::usage, "unknown distance '{}'. Use one of {}", name, fmt::join(kNames, ", "));
}

double exact_key(Distance distance, std::span<float const> x, std::span<float const> y) {
    switch (distance) {
    case Distance::inner_product:
        return 0 - product(x, y); // no negative zero
    case Distance::cosine:
        return 0.5 * squared_difference(x, y);
    default:
        return squared_difference(x, y);
    }
}

double distance_of(Distance distance, double key) {
    return distance == Distance::l2 ? std::sqrt(key) : key;
}

double rounding_bound(Distance distance, std::uint64_t width, double query_norm, double largest_norm) {
    constexpr double u = 0x1p-24;
    double const d = static_cast<double>(width);
    double const gamma = d * u / (1 - d * u);
    double const sum = query_norm + largest_norm;
    double const magnitude = distance == Distance::inner_product ? 2 * query_norm * largest_norm : sum * sum;
    double const lost = (2 * d + 8) * static_cast<double>(std::numeric_limits<float>::min());
    return (gamma + 4 * u) * magnitude + lost;
}

void prepare_row(Distance distance, std::span<float> values, std::string_view matrix, std::uint64_t row) {
    for (float& value : values) {
        if (!std::isfinite(value))
            fail(Exit::data, "{}: row {} holds {} (features must be finite). Mend or remove the row", matrix,
                 row, value);
        if (std::abs(value) < std::numeric_limits<float>::min())
            value = 0;
    }
    double const norm = std::sqrt(squared_norm(values));
    if (distance != Distance::cosine) {
        if (norm > kLargestNorm)
            fail(Exit::data,
                 "{}: row {} has norm {:.3g} (above {:.3g} its square does not fit single precision). "
                 "Scale the features down",
                 matrix, row, norm, kLargestNorm);
        return;
    }
    if (norm == 0)
        fail(Exit::data,
             "{}: row {} is zero (it has no direction, and no cosine). Remove it, or choose another "
             "distance",
             matrix, row);
    for (float& value : values) {
        value = static_cast<float>(value / norm);
        if (std::abs(value) < std::numeric_limits<float>::min())
            value = 0;
    }
}

double squared_norm(std::span<float const> x) {
    return product(x, x);
}

} // namespace assay::valuation
