#include "assay/base/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>

namespace assay {
namespace {

using Four = std::array<std::uint32_t, 4>;

std::vector<std::uint64_t> first_ids(std::size_t n) {
    std::vector<std::uint64_t> ids(n);
    std::iota(ids.begin(), ids.end(), std::uint64_t{0});
    return ids;
}

// Pearson's statistic of counts that should be equal
double chi_square(std::vector<int> const& counts) {
    double const expected =
        std::accumulate(counts.begin(), counts.end(), 0.0) / static_cast<double>(counts.size());
    double sum = 0;
    for (int count : counts)
        sum += (count - expected) * (count - expected) / expected;
    return sum;
}

// Known answers of the authors' Random123 library (kat_vectors, philox4x32 10)
TEST(Philox, KnownAnswers) {
    EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    std::uint32_t const ones = 0xffffffff;
    EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
              (Four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              (Four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// The first outputs of SplitMix64 from state 0 and from state 1234567: its state grows by the golden gamma
TEST(Mix64, KnownAnswersOfSplitMix64) {
    std::uint64_t const gamma = 0x9E3779B97F4A7C15;
    EXPECT_EQ(mix64(0), 0xE220A8397B1DCDAFu);
    EXPECT_EQ(mix64(gamma), 0x6E789E6AA1B965F4u);
    EXPECT_EQ(mix64(2 * gamma), 0x06C45D188009454Fu);
    EXPECT_EQ(mix64(1234567), 6457827717110365317u);
    EXPECT_EQ(mix64(1234567 + gamma), 3203168211198807973u);
}

TEST(Random, DrawsAreAFunctionOfSeedPurposeAndId) {
    auto const draws = [](std::uint64_t seed, char const* purpose, std::uint64_t id) {
        Random random(seed, purpose, id);
        Four four{};
        std::ranges::generate(four, [&] { return random.bits(); });
        return four;
    };
    EXPECT_EQ(draws(7, "augment", 42), draws(7, "augment", 42));
    std::set<Four> const distinct{draws(7, "augment", 42),
                                  draws(8, "augment", 42),
                                  draws(7, "bootstrap", 42),
                                  draws(7, "augment", 43),
                                  draws(7 + (std::uint64_t{1} << 32), "augment", 42),
                                  draws(7, "augment", 42 + (std::uint64_t{1} << 32))};
    EXPECT_EQ(distinct.size(), 6u);
}

// A stored result must not change with the build: these were computed by an implementation of the same
// recipe in Python (key = mix64(mix64(seed) ^ FNV-1a(purpose)), counter = (block, 0, id))
TEST(Random, StreamIsPinned) {
    Random random(7, "augment", 42);
    std::vector<std::uint32_t> bits(6);
    std::ranges::generate(bits, [&] { return random.bits(); });
    EXPECT_EQ(bits, (std::vector<std::uint32_t>{0x35327d55, 0xde906e70, 0x23eead80, 0x7504bd27, 0x578cf062,
                                                0xe5d0d778}));
}

TEST(Random, ACopyContinuesWhereTheOriginalWas) {
    Random original(1, "copy");
    original.bits();
    original.normal();
    Random copy = original;
    for (int i = 0; i < 9; ++i) {
        EXPECT_EQ(original.normal(), copy.normal());
        EXPECT_EQ(original.bits(), copy.bits());
    }
}

TEST(Random, UniformIsInTheUnitIntervalAndFlat) {
    Random random(3, "uniform");
    std::vector<int> counts(64, 0);
    int finer_than_32_bits = 0;
    for (int i = 0; i < 64000; ++i) {
        double const u = random.uniform();
        ASSERT_GE(u, 0.0);
        ASSERT_LT(u, 1.0);
        ASSERT_EQ(std::ldexp(u, 53), std::floor(std::ldexp(u, 53)));
        finer_than_32_bits += std::ldexp(u, 32) != std::floor(std::ldexp(u, 32));
        ++counts[static_cast<std::size_t>(u * 64)];
    }
    EXPECT_LT(chi_square(counts), 128); // 63 degrees of freedom: mean 63, exceeded once in 400,000 seeds
    EXPECT_GT(finer_than_32_bits, 63900);
}

TEST(Random, BelowIsInRangeAndFlat) {
    Random random(4, "below");
    for (std::uint64_t n : {1, 2, 3, 7, 64}) {
        std::vector<int> counts(n, 0);
        for (std::uint64_t i = 0; i < 1000 * n; ++i) {
            std::uint64_t const draw = random.below(n);
            ASSERT_LT(draw, n);
            ++counts[draw];
        }
        double const freedom = static_cast<double>(n - 1);
        EXPECT_LE(chi_square(counts), freedom + 5 * std::sqrt(2 * freedom)) << n;
    }
}

// With n = 3/4 of the range, a remainder without rejection would give the lowest third twice as often
TEST(Random, BelowHasNoBiasForLargeRanges) {
    Random random(5, "below");
    std::uint64_t const n = std::uint64_t{3} << 62;
    std::vector<int> counts(3, 0);
    for (int i = 0; i < 30000; ++i) {
        std::uint64_t const draw = random.below(n);
        ASSERT_LT(draw, n);
        ++counts[draw >> 62];
    }
    EXPECT_LT(chi_square(counts), 25);
}

TEST(Random, NormalHasTheNormalDistribution) {
    Random random(6, "normal");
    std::size_t const n = 40000;
    std::vector<double> x(n);
    std::ranges::generate(x, [&] { return random.normal(); });
    double lagged = 0;
    for (std::size_t i = 1; i < n; ++i)
        lagged += x[i] * x[i - 1];
    EXPECT_LT(std::abs(lagged / static_cast<double>(n)), 5 / std::sqrt(static_cast<double>(n)));
    std::ranges::sort(x);
    double distance = 0; // Kolmogorov and Smirnov's
    for (std::size_t i = 0; i < n; ++i) {
        double const expected = 0.5 * std::erfc(-x[i] / std::sqrt(2.0));
        distance =
            std::max(distance, std::abs((static_cast<double>(i) + 0.5) / static_cast<double>(n) - expected));
    }
    EXPECT_LT(distance * std::sqrt(static_cast<double>(n)), 2.23); // exceeded once in 10,000 seeds
    EXPECT_GT(x.back(), 3.5);
    EXPECT_LT(x.front(), -3.5);
}

// The random forget sets of Fashion-MNIST's 60,000 training samples under seed 1, derived apart from this
// code
TEST(KeyedOrder, KnownAnswerForFashionMnist) {
    std::vector<std::uint64_t> const ids = first_ids(60000);
    std::vector<std::size_t> const order = keyed_order(ids, 1);
    EXPECT_EQ((std::vector<std::size_t>{order[0], order[1], order[2]}),
              (std::vector<std::size_t>{9455, 27591, 49566}));
    EXPECT_EQ(std::accumulate(order.begin(), order.begin() + 600, std::size_t{0}), 18133061u);
    EXPECT_EQ(std::accumulate(order.begin(), order.begin() + 6000, std::size_t{0}), 179727991u);
    std::vector<std::size_t> lowest(order.begin(), order.begin() + 6000);
    std::ranges::sort(lowest);
    lowest.resize(5);
    EXPECT_EQ(lowest, (std::vector<std::size_t>{28, 31, 51, 68, 71}));
}

TEST(KeyedOrder, IsAPermutationThatFollowsIdsNotPositions) {
    std::vector<std::uint64_t> const ids = first_ids(500);
    std::vector<std::uint64_t> const backwards(ids.rbegin(), ids.rend());
    std::vector<std::size_t> const order = keyed_order(ids, 9);
    std::vector<std::size_t> const order_backwards = keyed_order(backwards, 9);
    EXPECT_EQ(std::set<std::size_t>(order.begin(), order.end()).size(), 500u);
    for (std::size_t i = 0; i < order.size(); ++i)
        EXPECT_EQ(ids[order[i]], backwards[order_backwards[i]]);
    EXPECT_NE(order, keyed_order(ids, 10));
    EXPECT_TRUE(keyed_order({}, 9).empty());
}

} // namespace
} // namespace assay
