#include "assay/valuation/shapley.hpp"

#include "assay/base/random.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <numeric>

namespace assay::valuation {
namespace {

using Matches = std::vector<std::uint8_t>;

std::vector<double> values_of(Matches const& matches, std::int64_t k, std::uint64_t rows) {
    std::vector<double> values(matches.size());
    shapley_of_list(matches, k, rows, values);
    return values;
}

// v(S) = (1/K) x matches among the min(K, |S|) nearest of S
double utility(Matches const& matches, std::int64_t k, unsigned subset) {
    std::int64_t seen = 0, found = 0;
    for (std::size_t r = 0; r < matches.size() && seen < k; ++r)
        if (subset >> r & 1) {
            ++seen;
            found += matches[r];
        }
    return static_cast<double>(found) / static_cast<double>(k);
}

// By its definition: the mean over subsets S without i of v(S + i) - v(S), each size weighing the same
double enumerated(Matches const& matches, std::int64_t k, std::size_t i) {
    std::size_t const n = matches.size();
    std::vector<double> sums(n, 0), subsets(n, 0);
    for (unsigned subset = 0; subset < 1U << n; ++subset) {
        if (subset >> i & 1)
            continue;
        auto const size = static_cast<std::size_t>(std::popcount(subset));
        sums[size] += utility(matches, k, subset | 1U << i) - utility(matches, k, subset);
        subsets[size] += 1;
    }
    double value = 0;
    for (std::size_t size = 0; size < n; ++size)
        value += sums[size] / subsets[size] / static_cast<double>(n);
    return value;
}

TEST(Shapley, HandCase) {
    std::vector<double> const values = values_of({1, 0, 1}, 1, 3);
    EXPECT_NEAR(values[0], 5. / 6, 1e-15);
    EXPECT_NEAR(values[1], -1. / 6, 1e-15);
    EXPECT_NEAR(values[2], 1. / 3, 1e-15);
}

TEST(Shapley, AgreesWithEnumeration) {
    Random random(1, "test");
    for (std::size_t n = 1; n <= 10; ++n)
        for (std::int64_t k = 1; k <= 12; ++k) {
            Matches matches(n);
            for (std::uint8_t& match : matches)
                match = random.below(2) == 1;
            std::vector<double> const values = values_of(matches, k, n);
            for (std::size_t i = 0; i < n; ++i)
                EXPECT_NEAR(values[i], enumerated(matches, k, i), 1e-12) << n << " " << k << " " << i;
            EXPECT_NEAR(std::accumulate(values.begin(), values.end(), 0.), utility(matches, k, (1U << n) - 1),
                        1e-12);
        }
}

TEST(Shapley, TruncationErrorIsBounded) {
    Random random(2, "test");
    for (int repeat = 0; repeat < 50; ++repeat) {
        Matches all(200);
        for (std::uint8_t& match : all)
            match = random.below(3) > 0;
        for (std::int64_t k : {1, 5, 20})
            for (std::size_t length : {std::size_t{20}, std::size_t{50}, std::size_t{199}}) {
                std::vector<double> const exact = values_of(all, k, 200);
                std::vector<double> const found =
                    values_of({all.begin(), all.begin() + static_cast<std::ptrdiff_t>(length)}, k, 200);
                double const error = 1 / static_cast<double>(length);
                for (std::size_t r = 0; r < 200; ++r)
                    EXPECT_LE(std::abs((r < length ? found[r] : 0) - exact[r]), error + 1e-15);
            }
    }
}

TEST(ShapleySum, IsTheMeanOverQueries) {
    ShapleySum sum(3, 1, 2);
    EXPECT_EQ(sum.values(), std::vector<double>(3, 0));
    sum.add(std::vector<std::int64_t>{2, 0, 1}, Matches{1, 0, 1});
    sum.add(std::vector<std::int64_t>{0, 1, 2}, Matches{1, 0, 1});
    std::vector<double> const values = sum.values();
    EXPECT_NEAR(values[0], (-1. / 6 + 5. / 6) / 2, 1e-11);
    EXPECT_NEAR(values[1], (1. / 3 - 1. / 6) / 2, 1e-11);
    EXPECT_NEAR(values[2], (5. / 6 + 1. / 3) / 2, 1e-11);
    EXPECT_EQ(sum.queries(), 2u);
}

} // namespace
} // namespace assay::valuation
