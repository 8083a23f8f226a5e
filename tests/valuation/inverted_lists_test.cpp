// Runs on any number of ranks (support/mpi_main.cpp)
#include "assay/valuation/inverted_lists.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/valuation/search.hpp"
#include "support/world.hpp"
#include "valuation/draw.hpp"
#include "valuation/oracle.hpp"

#include <gtest/gtest.h>

#include <set>

namespace assay::valuation {
namespace {

using assay::test::world;
using test::brute_force;
using test::Matrix;
using test::same_bytes;

// Points around 12 places
Matrix clustered(std::uint64_t rows, std::uint64_t width, std::uint64_t seed) {
    Matrix matrix{rows, width, {}};
    for (std::uint64_t r = 0; r < rows; ++r) {
        Random place(5, "place", r % 12), noise(seed, "noise", r);
        for (std::uint64_t c = 0; c < width; ++c)
            matrix.values.push_back(static_cast<float>(4 * place.normal() + noise.normal()));
    }
    return matrix;
}

Neighbours everywhere(Neighbours const& mine) {
    return {mine.k, comm::all_gather<std::int64_t>(world(), mine.rows),
            comm::all_gather<double>(world(), mine.distances)};
}

TEST(InvertedLists, AllProbesAreTheExactSearch) {
    Matrix const training = clustered(900, 7, 1), queries = clustered(30, 7, 2);
    for (Distance distance : {Distance::l2, Distance::cosine, Distance::inner_product}) {
        TrainingRows const rows(world(), training.features("training"), distance, Storage::float32);
        InvertedLists const lists(rows, {.lists = 20, .probes = 20, .seed = 3});
        EXPECT_TRUE(same_bytes(everywhere(lists.search(queries.block(0, 30), 10, world().size() - 1)),
                               brute_force(distance, training, queries, 10)))
            << name_of(distance);
    }
}

TEST(InvertedLists, RecallRisesWithTheProbes) {
    Matrix const training = clustered(2000, 6, 1), queries = clustered(80, 6, 2);
    TrainingRows const rows(world(), training.features("training"), Distance::l2, Storage::float32);
    double before = 0;
    for (std::int64_t probes : {1, 2, 4, 8, 40}) {
        InvertedLists const lists(rows, {.lists = 40, .probes = probes, .seed = 3});
        Recall const recall = measure_recall(rows, lists, queries.features("queries"), 20, 60, 9);
        ASSERT_EQ(recall.of_queries.size(), 60U);
        EXPECT_GE(recall.mean, before);
        EXPECT_LE(recall.minimum, recall.fifth_percentile);
        EXPECT_LE(recall.fifth_percentile, recall.mean);
        before = recall.mean;
    }
    EXPECT_EQ(before, 1);
}

TEST(InvertedLists, RecallIsWhatABruteForceSays) {
    Matrix const training = clustered(1000, 6, 1), queries = clustered(25, 6, 2);
    TrainingRows const rows(world(), training.features("training"), Distance::l2, Storage::float32);
    InvertedLists const lists(rows, {.lists = 50, .probes = 1, .seed = 3});
    Recall const recall = measure_recall(rows, lists, queries.features("queries"), 15, 25, 9);
    Neighbours const exact = brute_force(Distance::l2, training, queries, 15);
    Neighbours const found = everywhere(lists.search(queries.block(0, 25), 15, 0));
    double sum = 0;
    for (std::size_t q = 0; q < 25; ++q) {
        std::set<std::int64_t> const nearest(&exact.rows[15 * q], &exact.rows[15 * q] + 15);
        std::int64_t hits = 0;
        for (std::size_t i = 0; i < 15; ++i)
            hits += static_cast<std::int64_t>(nearest.count(found.rows[15 * q + i]));
        EXPECT_DOUBLE_EQ(recall.of_queries[q], static_cast<double>(hits) / 15) << q;
        sum += recall.of_queries[q];
    }
    EXPECT_DOUBLE_EQ(recall.mean, sum / 25);
    EXPECT_LT(recall.mean, 1); // one cell of fifty cannot hold all
}

TEST(InvertedLists, RowsAtTheSameDistanceAreAsGood) {
    Matrix const training{600, 2, std::vector<float>(1200, 1)}, queries{3, 2, {0, 0, 1, 1, 2, 2}};
    TrainingRows const rows(world(), training.features("training"), Distance::l2, Storage::float32);
    InvertedLists const lists(rows, {.lists = 5, .probes = 1, .seed = 3});
    EXPECT_EQ(measure_recall(rows, lists, queries.features("queries"), 10, 3, 9).minimum, 1);
}

TEST(InvertedLists, LooksOnUntilThereAreEnoughRows) {
    Matrix const training = clustered(300, 5, 1), queries = clustered(9, 5, 2);
    TrainingRows const rows(world(), training.features("training"), Distance::l2, Storage::float32);
    InvertedLists const lists(rows, {.lists = 60, .probes = 1, .seed = 3}); // five rows each
    EXPECT_TRUE(same_bytes(everywhere(lists.search(queries.block(0, 9), 300, 0)),
                           brute_force(Distance::l2, training, queries, 300)));
    for (std::int64_t row : everywhere(lists.search(queries.block(0, 9), 40, 0)).rows)
        EXPECT_LT(row, 300);
}

TEST(InvertedLists, RanksLeaveNoTrace) {
    Matrix const training = clustered(1500, 5, 1), queries = clustered(20, 5, 2);
    TrainingRows const rows(world(), training.features("training"), Distance::l2, Storage::float32);
    TrainingRows const alone({}, training.features("training"), Distance::l2, Storage::float32);
    IvfOptions const options{.lists = 0, .probes = 3, .seed = 3};
    EXPECT_TRUE(same_bytes(everywhere(InvertedLists(rows, options).search(queries.block(0, 20), 10, 0)),
                           InvertedLists(alone, options).search(queries.block(0, 20), 10, 0)));
}

TEST(InvertedLists, MoreListsThanRowsAreRefused) {
    Matrix const training = clustered(30, 5, 1);
    TrainingRows const rows(world(), training.features("training"), Distance::l2, Storage::float32);
    EXPECT_THROW(InvertedLists(rows, {.lists = 31}), comm::AgreedError);
}

TEST(DrawRows, OneFromEachStretch) {
    auto const drawn = draw_rows(1000, 10, 4, "test");
    ASSERT_EQ(drawn.size(), 10U);
    for (std::uint64_t i = 0; i < 10; ++i)
        EXPECT_EQ(drawn[i] / 100, i);
    EXPECT_NE(drawn, draw_rows(1000, 10, 5, "test"));
    EXPECT_EQ(draw_rows(3, 10, 4, "test"), (std::vector<std::uint64_t>{0, 1, 2}));
}

} // namespace
} // namespace assay::valuation
