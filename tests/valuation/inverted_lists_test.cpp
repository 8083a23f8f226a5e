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

InvertedLists lists_of(TrainingRows const& rows, IvfOptions const& options) {
    return {rows, place_cells(rows, options), options.probes};
}

// Share of the rows of `exact` that `found` has
double recall_of(Neighbours const& found, Neighbours const& exact) {
    auto const k = static_cast<std::size_t>(exact.k);
    std::size_t hits = 0;
    for (std::size_t begin = 0; begin < exact.rows.size(); begin += k) {
        std::set<std::int64_t> const nearest(&exact.rows[begin], &exact.rows[begin] + k);
        for (std::size_t i = begin; i < begin + k; ++i)
            hits += nearest.count(found.rows[i]);
    }
    return static_cast<double>(hits) / static_cast<double>(exact.rows.size());
}

TEST(InvertedLists, AllProbesAreTheExactSearch) {
    Matrix const training = clustered(900, 7, 1), queries = clustered(30, 7, 2);
    for (Distance distance : {Distance::l2, Distance::cosine, Distance::inner_product}) {
        TrainingRows const rows(world(), training.features("training"), distance, Storage::float32);
        InvertedLists const lists = lists_of(rows, {.lists = 20, .probes = 20, .seed = 3});
        EXPECT_TRUE(same_bytes(everywhere(lists.search(queries.block(0, 30), 10, world().size() - 1)),
                               brute_force(distance, training, queries, 10)))
            << name_of(distance);
    }
}

TEST(InvertedLists, RecallRisesWithTheProbes) {
    Matrix const training = clustered(2000, 6, 1), queries = clustered(80, 6, 2);
    TrainingRows const rows(world(), training.features("training"), Distance::l2, Storage::float32);
    Neighbours const exact = brute_force(Distance::l2, training, queries, 20);
    double before = 0;
    for (std::int64_t probes : {1, 2, 4, 8, 40}) {
        InvertedLists const lists = lists_of(rows, {.lists = 40, .probes = probes, .seed = 3});
        double const recall = recall_of(everywhere(lists.search(queries.block(0, 80), 20, 0)), exact);
        EXPECT_GE(recall, before);
        if (probes == 1) {
            EXPECT_LT(recall, 1); // one cell of forty cannot hold all
        }
        before = recall;
    }
    EXPECT_EQ(before, 1);
}

TEST(InvertedLists, LooksOnUntilThereAreEnoughRows) {
    Matrix const training = clustered(300, 5, 1), queries = clustered(9, 5, 2);
    TrainingRows const rows(world(), training.features("training"), Distance::l2, Storage::float32);
    InvertedLists const lists = lists_of(rows, {.lists = 60, .probes = 1, .seed = 3}); // five rows each
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
    EXPECT_TRUE(same_bytes(everywhere(lists_of(rows, options).search(queries.block(0, 20), 10, 0)),
                           lists_of(alone, options).search(queries.block(0, 20), 10, 0)));
}

TEST(InvertedLists, MoreListsThanRowsAreRefused) {
    Matrix const training = clustered(30, 5, 1);
    TrainingRows const rows(world(), training.features("training"), Distance::l2, Storage::float32);
    EXPECT_THROW(place_cells(rows, {.lists = 31}), comm::AgreedError);
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
