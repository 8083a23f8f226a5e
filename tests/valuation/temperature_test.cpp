#include "assay/valuation/temperature.hpp"

#include "assay/base/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace assay::valuation {
namespace {

using Values = std::vector<double>;

Values weights_of(Weighting const& weighting, Values const& distances) {
    Values weights(distances.size());
    weigh(weighting, distances, weights);
    return weights;
}

Values random_distances(std::uint64_t id, std::size_t k) {
    Random random(1, "test", id);
    Values distances(k);
    for (double& d : distances)
        d = 5 + 3 * random.uniform();
    std::sort(distances.begin(), distances.end());
    return distances;
}

// methods: hand case, rows of distances (0, ln 2) and (0, ln 3)
TEST(Weigh, HandCase) {
    Values const first = weights_of({Temperature::paper}, {0, std::log(2)});
    EXPECT_NEAR(first[0], 2. / 3, 1e-15);
    EXPECT_NEAR(first[1], 1. / 3, 1e-15);
    Values const second = weights_of({Temperature::paper}, {0, std::log(3)});
    EXPECT_NEAR(second[0], 3. / 4, 1e-15);
    EXPECT_NEAR(second[1], 1. / 4, 1e-15);
}

TEST(Weigh, DoesNotUnderflowFarFromZero) {
    Values const weights = weights_of({Temperature::paper}, {5000, 5000 + std::log(2), 9000});
    EXPECT_NEAR(weights[0], 2. / 3, 1e-12);
    EXPECT_EQ(weights[2], 0);
}

TEST(Weigh, PerplexityIsMet) {
    for (std::uint64_t id = 0; id < 200; ++id) {
        Values const distances = random_distances(id, 20 + id % 40);
        for (double wanted : {1.5, 2., 10., 19.5}) {
            Values const weights = weights_of({Temperature::perplexity, wanted}, distances);
            EXPECT_NEAR(effective_number(weights), wanted, 1e-12 * wanted);
            EXPECT_NEAR(std::accumulate(weights.begin(), weights.end(), 0.), 1, 1e-14);
            EXPECT_TRUE(std::is_sorted(weights.rbegin(), weights.rend()));
        }
    }
}

// The weights are exp(-d/tau) for the tau that is returned
TEST(Weigh, ReturnsTheTemperature) {
    Values const distances = random_distances(7, 50);
    Values weights(50);
    double const tau = weigh({Temperature::perplexity, 10}, distances, weights);
    for (std::size_t r = 1; r < 50; ++r)
        EXPECT_NEAR(weights[r] / weights[0], std::exp(-(distances[r] - distances[0]) / tau), 1e-12);
}

TEST(Weigh, PerplexityAtItsEdges) {
    Values const equal(8, 0.125), ties{0.5, 0.5, 0.5, 0, 0};
    EXPECT_EQ(weights_of({Temperature::perplexity, 3}, Values(8, 4.5)), equal);
    EXPECT_EQ(weights_of({Temperature::perplexity, 8}, {1, 2, 3, 4, 5, 6, 7, 8}), equal);
    EXPECT_EQ(weights_of({Temperature::perplexity, 100}, {1, 2, 3, 4, 5, 6, 7, 8}), equal);
    Values const three = weights_of({Temperature::perplexity, 2.5}, {1, 1, 1, 2, 3});
    EXPECT_EQ(three, (Values{1. / 3, 1. / 3, 1. / 3, 0, 0}));
    Values const barely = weights_of({Temperature::perplexity, 3 + 1e-12}, {1, 1, 1, 2, 3});
    EXPECT_NEAR(barely[0], 1. / 3, 1e-10);
    EXPECT_EQ(weights_of({Temperature::perplexity, 10}, {3}), Values{1});
}

TEST(Weigh, LimitsOfTheTemperature) {
    Values const distances{1, 1, 2, 4};
    EXPECT_EQ(weights_of({Temperature::uniform}, distances), Values(4, 0.25));
    EXPECT_EQ(weights_of({Temperature::top1}, distances), (Values{1, 0, 0, 0}));
    EXPECT_EQ(weights_of({Temperature::median_gap, 10, 0}, distances), Values(4, 0.25));
    Values const gap = weights_of({Temperature::median_gap, 10, 3}, distances);
    EXPECT_NEAR(gap[3] / gap[0], std::exp(-1), 1e-15);
}

// Features times 4: distances times 4 (l2) or 16 (squared_l2)
TEST(Weigh, HasNoUnits) {
    for (std::uint64_t id = 0; id < 100; ++id) {
        Values const distances = random_distances(id, 50);
        for (double factor : {4., 16., 0x1p-30}) {
            Values scaled = distances;
            for (double& d : scaled)
                d *= factor;
            double const gap = distances.back() - distances.front() - 0.25;
            EXPECT_EQ(weights_of({Temperature::perplexity, 10}, distances),
                      weights_of({Temperature::perplexity, 10}, scaled));
            EXPECT_EQ(weights_of({Temperature::median_gap, 10, gap}, distances),
                      weights_of({Temperature::median_gap, 10, gap * factor}, scaled));
        }
    }
}

TEST(Temperature, HasNames) {
    for (auto mode : {Temperature::perplexity, Temperature::median_gap, Temperature::paper,
                      Temperature::uniform, Temperature::top1})
        EXPECT_EQ(temperature_of(to_string(mode)), mode);
    EXPECT_EQ(to_string(Temperature::median_gap), "median_gap");
    EXPECT_FALSE(temperature_of("warm").has_value());
}

} // namespace
} // namespace assay::valuation
