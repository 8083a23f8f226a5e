#include "assay/valuation/distance.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"
#include "valuation/oracle.hpp"

#include <gtest/gtest.h>

namespace assay::valuation {
namespace {

constexpr std::array kAll{Distance::l2, Distance::squared_l2, Distance::cosine, Distance::inner_product};

std::vector<float> random_row(std::uint64_t width, std::uint64_t id, double scale = 1) {
    Random random(11, "distance", id);
    std::vector<float> row(width);
    for (float& value : row)
        value = static_cast<float>(scale * random.normal());
    return row;
}

std::string message_of(std::function<void()> const& work) {
    try {
        work();
    } catch (Error const& error) {
        return error.what();
    }
    return "";
}

TEST(Distance, NamesAreReadBack) {
    for (Distance distance : kAll)
        EXPECT_EQ(distance_named(name_of(distance)), distance);
    EXPECT_THROW(distance_named("l1"), Error);
}

TEST(Distance, KeysOfAHandCase) {
    std::vector<float> const x{1, 2, 3}, y{4, 0, 3};
    EXPECT_EQ(exact_key(Distance::l2, x, y), 13);
    EXPECT_EQ(exact_key(Distance::squared_l2, x, y), 13);
    EXPECT_EQ(exact_key(Distance::cosine, x, y), 6.5);
    EXPECT_EQ(exact_key(Distance::inner_product, x, y), -13);
    EXPECT_EQ(distance_of(Distance::l2, 16), 4);
    EXPECT_EQ(distance_of(Distance::squared_l2, 16), 16);
    EXPECT_FALSE(std::signbit(exact_key(Distance::inner_product, std::vector<float>{0}, y)));
}

TEST(Distance, KeysHaveTheBitsOfTheDefinition) {
    for (std::uint64_t width : {1, 7, 8, 9, 16, 31, 100})
        for (Distance distance : kAll) {
            auto const x = random_row(width, width), y = random_row(width, width + 1000);
            EXPECT_EQ(exact_key(distance, x, y), test::key_of(distance, x, y)) << name_of(distance) << width;
        }
}

TEST(Distance, OneColumnPastEightsGoesToTheFirstSum) {
    // 2^53 + 1 rounds to 2^53, but the two ones are added first where both are in the second sum
    std::vector<float> x(10, 0), y(10, 0);
    x[0] = 0x1p27F;
    x[1] = x[9] = 1;
    x[8] = 1;
    // s0 = 2^54 + 1 = 2^54 (to even), s1 = 2: the sum is 2^54 + 2, rounded to a multiple of 4
    EXPECT_EQ(exact_key(Distance::l2, x, y), 0x1p54);
    x[8] = 0;
    x[2] = x[3] = 1; // s0 + s1 = 2^54 + 2 = 2^54, s2 + s3 = 2
    EXPECT_EQ(exact_key(Distance::l2, x, y), 0x1p54);
    x[2] = x[3] = 0x1p1F; // s2 + s3 = 8
    EXPECT_EQ(exact_key(Distance::l2, x, y), 0x1p54 + 8);
}

TEST(Distance, SinglePrecisionStaysWithinTheBound) {
    for (std::uint64_t width : {1, 2, 8, 64, 768})
        for (double scale : {1e-30, 1e-20, 1., 1e15})
            for (std::uint64_t id = 0; id < 50; ++id) {
                auto const x = random_row(width, id, scale), y = random_row(width, id + 100, scale);
                float dot = 0;
                for (std::size_t c = 0; c < width; ++c)
                    dot += x[c] * y[c];
                double const norm_x = std::sqrt(squared_norm(x)), norm_y = std::sqrt(squared_norm(y));
                float const approximate = static_cast<float>(squared_norm(x)) - 2 * dot;
                EXPECT_LE(std::abs(approximate + squared_norm(y) - exact_key(Distance::l2, x, y)),
                          rounding_bound(Distance::l2, width, norm_y, norm_x));
                EXPECT_LE(std::abs(-dot - exact_key(Distance::inner_product, x, y)),
                          rounding_bound(Distance::inner_product, width, norm_y, norm_x));
            }
}

TEST(Distance, PreparingNormalisesForCosineOnly) {
    std::vector<float> row{3, 0, -4};
    prepare_row(Distance::l2, row, "m", 0);
    EXPECT_EQ(row, (std::vector<float>{3, 0, -4}));
    prepare_row(Distance::cosine, row, "m", 0);
    EXPECT_EQ(row, (std::vector<float>{0.6F, 0, -0.8F}));
}

TEST(Distance, DenormalValuesAreZero) {
    std::vector<float> row{1e-39F, -1e-45F, 2};
    prepare_row(Distance::l2, row, "m", 0);
    EXPECT_EQ(row, (std::vector<float>{0, 0, 2}));
}

TEST(Distance, BadRowsAreNamed) {
    float const nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    auto const message = [](std::vector<float> row, Distance distance) {
        return message_of([&] { prepare_row(distance, row, "features.h5:/train", 42); });
    };
    for (float bad : {nan, inf, -inf})
        EXPECT_NE(message({1, bad}, Distance::l2).find("features.h5:/train: row 42 holds"),
                  std::string::npos);
    EXPECT_NE(message({0, 0}, Distance::cosine).find("features.h5:/train: row 42 is zero"),
              std::string::npos);
    EXPECT_EQ(message({0, 0}, Distance::l2), "");
    EXPECT_NE(message({1e30F, 0}, Distance::l2).find("row 42 has norm 1e+30"), std::string::npos);
    EXPECT_EQ(message({1e30F, 0}, Distance::cosine), "");
}

} // namespace
} // namespace assay::valuation
