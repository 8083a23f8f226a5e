#include "assay/base/elementary.hpp"

#include "assay/base/random.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace assay {
namespace {

// Distance in representable numbers, of two positive ones
std::int64_t steps(double a, double b) {
    return std::abs(std::bit_cast<std::int64_t>(a) - std::bit_cast<std::int64_t>(b));
}

// The C library's is within one unit
TEST(PortableExp, IsWithinTwoUnitsOfTheLastPlace) {
    Random random(1, "test");
    for (int i = 0; i < 200000; ++i) {
        double const x = (i % 2 ? 700 : 3) * (2 * random.uniform() - 1);
        ASSERT_LE(steps(portable_exp(x), std::exp(x)), 3) << x;
    }
}

TEST(PortableExp, HasExactEnds) {
    EXPECT_EQ(portable_exp(0), 1);
    EXPECT_EQ(portable_exp(-709), 0);
    EXPECT_EQ(portable_exp(-std::numeric_limits<double>::infinity()), 0);
    EXPECT_EQ(portable_exp(710), std::numeric_limits<double>::infinity());
    EXPECT_TRUE(std::isnan(portable_exp(std::nan(""))));
}

TEST(PortableLog, AgreesWithTheCLibrary) {
    Random random(2, "test");
    for (int i = 0; i < 200000; ++i) {
        double const x = i % 2 ? std::exp(1400 * random.uniform() - 700) : 0.5 + random.uniform();
        ASSERT_NEAR(portable_log(x), std::log(x), 1e-16 + 4.5e-16 * std::abs(std::log(x))) << x;
    }
    EXPECT_EQ(portable_log(1), 0);
    EXPECT_DOUBLE_EQ(portable_log(5e-324), std::log(5e-324));
}

} // namespace
} // namespace assay
