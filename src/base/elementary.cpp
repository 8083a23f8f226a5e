#include "assay/base/elementary.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

namespace assay {

namespace {

// ln 2 in two parts (Cody and Waite): n * kLn2High is exact for |n| < 2^20
constexpr double kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33;
// Adding and subtracting it rounds to an integer
constexpr double kRound = 0x1.8p52;

// 1/0! .. 1/14!
constexpr std::array<double, 15> kTaylor = [] {
    std::array<double, 15> terms{1};
    double factorial = 1;
    for (std::size_t i = 1; i < terms.size(); ++i)
        terms[i] = 1 / (factorial *= static_cast<double>(i));
    return terms;
}();

// 2^n for n in [-1022, 1023]
double power_of_two(int n) {
    return std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52);
}

} // namespace

double portable_exp(double x) {
    if (x < -708)
        return 0;
    if (x > 709)
        return std::numeric_limits<double>::infinity();
    if (std::isnan(x))
        return x;
    double const n = (x * std::numbers::log2e + kRound) - kRound;
    double const r = (x - n * kLn2High) - n * kLn2Low; // |r| <= ln(2)/2: the series' remainder is below 1e-18
    double sum = 0;
    for (std::size_t i = kTaylor.size(); i-- > 0;)
        sum = sum * r + kTaylor[i];
    return sum * power_of_two(static_cast<int>(n));
}

double portable_log(double x) {
    int exponent = 0;
    double mantissa = std::frexp(x, &exponent); // in [0.5, 1)
    if (mantissa < std::numbers::sqrt2 / 2) {
        mantissa *= 2;
        --exponent;
    }
    // ln m = 2 artanh(f), |f| < 0.172
    double const f = (mantissa - 1) / (mantissa + 1), square = f * f;
    double sum = 0;
    for (int power = 23; power > 1; power -= 2)
        sum = square * (sum + 1.0 / power);
    return exponent * kLn2High + (exponent * kLn2Low + (2 * f + 2 * f * sum));
}

} // namespace assay
