#include "assay/usage/logistic.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"
#include "assay/base/stats.hpp"
#include "mixture.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace assay::usage {
namespace {

TEST(FitLogistic, KeepsSeparableDataFinite) {
    std::vector<double> const x{-2, -1, 1, 2};
    std::vector<double> const y{0, 0, 1, 1};
    LogisticFit const fit = fit_logistic(x, 1, y, 0.01);
    EXPECT_GT(fit.weights[0], 1);
    EXPECT_TRUE(std::isfinite(fit.weights[0]));
    EXPECT_NEAR(fit.intercept, 0, 1e-6); // by symmetry
}

TEST(FitLogistic, GivesTheBaseRateWhenEveryWeightWouldBeNegative) {
    std::vector<double> const x{3, 2, 2, 1, -1, -2};
    std::vector<double> const y{0, 0, 0, 0, 1, 1};
    LogisticFit const fit = fit_logistic(x, 1, y, 0.01);
    EXPECT_EQ(fit.weights[0], 0);
    EXPECT_NEAR(fit.intercept, std::log(2.0 / 4.0), 1e-6);
}

// The conditions of Karush, Kuhn and Tucker hold at the optimum of a convex problem and nowhere else
TEST(FitLogistic, MeetsTheOptimalityConditions) {
    constexpr std::size_t n = 300, n_signals = 4;
    constexpr double strength = 0.05;
    Random random(2, "test");
    std::vector<double> x(n * n_signals), y(n);
    for (std::size_t i = 0; i < n; ++i) {
        y[i] = random.uniform() < 0.3 ? 1 : 0;
        double const own = random.normal();
        double const effect[n_signals] = {1, 0.3, 0, -0.8};
        for (std::size_t k = 0; k < n_signals; ++k)
            x[i * n_signals + k] = effect[k] * y[i] + 0.7 * own + 0.7 * random.normal();
    }
    LogisticFit const fit = fit_logistic(x, n_signals, y, strength);
    std::vector<double> gradient(n_signals + 1, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
        double logit = fit.intercept;
        for (std::size_t k = 0; k < n_signals; ++k)
            logit += fit.weights[k] * x[i * n_signals + k];
        double const residual = (1 / (1 + std::exp(-logit)) - y[i]) / n;
        gradient[n_signals] += residual;
        for (std::size_t k = 0; k < n_signals; ++k)
            gradient[k] += residual * x[i * n_signals + k];
    }
    EXPECT_NEAR(gradient[n_signals], 0, 1e-7);
    for (std::size_t k = 0; k < n_signals; ++k) {
        double const slope = gradient[k] + strength * fit.weights[k];
        EXPECT_GE(fit.weights[k], 0);
        if (fit.weights[k] > 0) {
            EXPECT_NEAR(slope, 0, 1e-7) << k;
        } else {
            EXPECT_GE(slope, -1e-7) << k;
        }
    }
    EXPECT_GT(fit.weights[0], 0);
    EXPECT_EQ(fit.weights[3], 0);
}

TEST(CrossFit, FindsMembersWithNonNegativeWeights) {
    Random random(3, "test");
    SignalTable const suspects = test::signals(random, 400, 1, test::kGapAuc90);
    SignalTable const reference = test::signals(random, 400, 0, 0);
    CrossFit const fit = cross_fit(suspects, test::ids(400), reference, test::ids(400), 5);
    EXPECT_NEAR(auc(fit.suspects, fit.reference), 0.9, 0.04);
    EXPECT_NEAR(mean(fit.reference), 0, 0.15);
    EXPECT_NEAR(sd(fit.reference), 1, 0.15);
    for (std::vector<double> const& weights : fit.weights)
        for (double weight : weights)
            EXPECT_GE(weight, 0);
}

// Forty signals of noise on 150 rows: a scorer that saw the rows it scores would separate them
TEST(CrossFit, DoesNotSeparateWhatIsAlike) {
    Random random(4, "test");
    SignalTable suspects, reference;
    for (int k = 0; k < 40; ++k)
        for (SignalTable* table : {&suspects, &reference}) {
            table->names.push_back(std::to_string(k));
            table->columns.push_back(test::mixture(random, 150, 0, 0));
        }
    CrossFit const fit = cross_fit(suspects, test::ids(150), reference, test::ids(150), 5);
    EXPECT_NEAR(auc(fit.suspects, fit.reference), 0.5, 3 * auc_se(0.5, 150, 150));
}

TEST(CrossFit, FollowsIdsNotRows) {
    Random random(6, "test");
    SignalTable const suspects = test::signals(random, 80, 0.5, 2);
    SignalTable const reference = test::signals(random, 80, 0, 0);
    std::vector<std::uint64_t> const ids = test::ids(80);
    std::vector<std::size_t> backwards;
    std::vector<std::uint64_t> backward_ids;
    for (std::size_t i = 80; i-- > 0;) {
        backwards.push_back(i);
        backward_ids.push_back(ids[i]);
    }
    CrossFit const a = cross_fit(suspects, ids, reference, ids, 5);
    CrossFit const b = cross_fit(take_rows(suspects, backwards), backward_ids, reference, ids, 5);
    for (std::size_t i = 0; i < 80; ++i)
        EXPECT_NEAR(a.suspects[i], b.suspects[79 - i], 1e-6); // sums run in another order
}

TEST(CrossFit, RefusesTooFewRows) {
    Random random(7, "test");
    SignalTable const few = test::signals(random, 49, 0, 0);
    EXPECT_THROW(cross_fit(few, test::ids(49), few, test::ids(49), 5), Error);
}

} // namespace
} // namespace assay::usage
