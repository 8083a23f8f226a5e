#include "assay/valuation/credit.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"
#include "assay/valuation/temperature.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay::valuation {
namespace {

using Shares = std::vector<std::int64_t>;

Shares split_of(std::int64_t quality, std::vector<double> const& weights) {
    Shares shares(weights.size());
    split(quality, weights, shares);
    return shares;
}

std::vector<double> random_weights(Random& random, std::size_t k) {
    std::vector<double> distances(k), weights(k);
    for (double& d : distances)
        d = 10 * random.uniform();
    std::sort(distances.begin(), distances.end());
    weigh({Temperature::paper}, distances, weights);
    return weights;
}

// As its definition says: the largest s <= 40 with 2^(58 - s) >= 1 + total
TEST(CreditBits, LeaveRoomForReplicates) {
    EXPECT_EQ(credit_bits(0), 40);
    EXPECT_EQ(credit_bits(0x1p18 - 1), 40);
    EXPECT_EQ(credit_bits(0x1p18), 39);
    EXPECT_EQ(credit_bits(0x1p30 - 1), 28);
    EXPECT_EQ(credit_bits(0x1p30), 27);
    for (double total : {0.5, 1e3, 1e9, 1e30}) // 13 times the whole still fits
        EXPECT_LT(13 * std::ldexp(total, credit_bits(total)), 0x1p62);
}

TEST(ToCredit, RoundsHalfToEven) {
    EXPECT_EQ(to_credit(2.5, 0), 2);
    EXPECT_EQ(to_credit(3.5, 0), 4);
    EXPECT_EQ(to_credit(1, 40), std::int64_t{1} << 40);
    EXPECT_EQ(to_credit(3, -1), 2);
}

TEST(Split, LosesNothing) {
    Random random(1, "test");
    for (int i = 0; i < 2000; ++i) {
        std::vector<double> const weights = random_weights(random, 1 + random.below(60));
        for (int bits : {0, 5, 40, 58}) {
            std::int64_t const quality = to_credit(random.uniform(), bits);
            Shares const shares = split_of(quality, weights);
            EXPECT_EQ(std::accumulate(shares.begin(), shares.end(), std::int64_t{0}), quality);
            for (std::size_t r = 0; r < shares.size(); ++r) {
                EXPECT_GE(shares[r], 0);
                EXPECT_NEAR(static_cast<double>(shares[r]), weights[r] * static_cast<double>(quality),
                            static_cast<double>(shares.size()) + 0x1p-50 * static_cast<double>(quality));
            }
        }
    }
}

TEST(Split, GivesTheRemainderToTheNearest) {
    EXPECT_EQ(split_of(10, {1. / 3, 1. / 3, 1. / 3}), (Shares{4, 3, 3}));
    EXPECT_EQ(split_of(0, {0.5, 0.5}), (Shares{0, 0}));
}

TEST(Split, RefusesWeightsThatAreNone) {
    Shares shares(2);
    std::vector<double> const weights{0.5, 1.75};
    try {
        split(1 << 20, weights, shares);
        ADD_FAILURE() << "nothing was thrown";
    } catch (Error const& error) {
        EXPECT_EQ(error.code(), Exit::internal);
    }
}

struct Query {
    std::int64_t quality;
    Shares rows, shares;
};

std::vector<Query> random_queries(std::uint64_t rows, std::size_t count) {
    Random random(2, "test");
    std::vector<Query> queries;
    for (std::size_t j = 0; j < count; ++j) {
        std::vector<double> const weights = random_weights(random, 7);
        Query query{to_credit(random.uniform(), 40), {}, {}};
        std::int64_t const first = static_cast<std::int64_t>(random.below(rows - 7));
        for (std::int64_t r = 0; r < 7; ++r)
            query.rows.push_back(first + r);
        query.shares = split_of(query.quality, weights);
        queries.push_back(std::move(query));
    }
    return queries;
}

// Hand case: w = (2/3, 1/3, 0), (1/4, 3/4, 0), q = (1, 1/2), phi = (19/24, 17/24, 0)
TEST(CreditSum, HandCase) {
    CreditSum sum(3, 40);
    std::int64_t const one = to_credit(1, 40), half = to_credit(0.5, 40);
    sum.add(one, Shares{0, 1}, split_of(one, {2. / 3, 1. / 3}));
    sum.add(half, Shares{1, 0}, split_of(half, {0.75, 0.25}), true);
    sum.check_conservation();
    EXPECT_NEAR(sum.values()[0], 19. / 24, 1e-11);
    EXPECT_NEAR(sum.values()[1], 17. / 24, 1e-11);
    EXPECT_EQ(sum.values()[2], 0);
    EXPECT_EQ(sum.total(), 3 * half);
    EXPECT_EQ(sum.hits(), (Shares{2, 2, 0}));
    EXPECT_EQ(sum.half_credit(), (Shares{to_credit(0.125, 40), to_credit(0.375, 40), 0}));
}

TEST(CreditSum, DoesNotDependOnTheOrder) {
    std::vector<Query> queries = random_queries(50, 3000);
    CreditSum forward(50, 40), backward(50, 40);
    for (Query const& query : queries)
        forward.add(query.quality, query.rows, query.shares);
    for (auto query = queries.rbegin(); query != queries.rend(); ++query)
        backward.add(query->quality, query->rows, query->shares);
    EXPECT_EQ(forward.credit(), backward.credit());
    EXPECT_EQ(forward.total(), backward.total());
    forward.check_conservation();
}

TEST(CreditSum, NoticesWhatIsLost) {
    CreditSum sum(3, 40);
    sum.add(10, Shares{0, 1}, Shares{5, 4});
    try {
        sum.check_conservation();
        ADD_FAILURE() << "nothing was thrown";
    } catch (Error const& error) {
        EXPECT_EQ(error.code(), Exit::internal);
        EXPECT_NE(std::string(error.what()).find("hold 9 units of credit, the queries had 10"),
                  std::string::npos);
    }
}

// sqrt(m/(m-1) (S2 - S1^2/m)) is the standard error of a sum: sqrt(m) times the values' standard deviation
TEST(CreditSum, StandardErrorIsThatOfASum) {
    std::vector<Query> const queries = random_queries(20, 400);
    CreditSum sum(20, 40);
    for (Query const& query : queries)
        sum.add(query.quality, query.rows, query.shares);
    std::vector<double> const errors = sum.standard_errors();
    for (std::int64_t row = 0; row < 20; ++row) {
        double mean = 0, squares = 0;
        std::vector<double> shares;
        for (Query const& query : queries) {
            double share = 0;
            for (std::size_t r = 0; r < query.rows.size(); ++r)
                share += query.rows[r] == row ? static_cast<double>(query.shares[r]) * 0x1p-40 : 0;
            shares.push_back(share);
            mean += share / 400;
        }
        for (double share : shares)
            squares += (share - mean) * (share - mean);
        EXPECT_NEAR(errors[static_cast<std::size_t>(row)], std::sqrt(400 * squares / 399), 1e-9);
    }
    CreditSum one(20, 40);
    one.add(queries[0].quality, queries[0].rows, queries[0].shares);
    EXPECT_TRUE(std::isnan(one.standard_errors()[0]));
}

// Half the quality in twice as fine a unit: the same integers
TEST(CreditSum, DoesNotDependOnTheUnitOfQuality) {
    Random random(3, "test");
    for (int i = 0; i < 500; ++i) {
        std::vector<double> const weights = random_weights(random, 30);
        double const quality = random.uniform();
        for (int p : {1, 7, 20})
            EXPECT_EQ(split_of(to_credit(quality, 30), weights),
                      split_of(to_credit(std::ldexp(quality, -p), 30 + p), weights));
    }
}

} // namespace
} // namespace assay::valuation
