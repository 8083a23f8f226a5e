// Runs on any number of ranks (support/mpi_main.cpp)
#include "assay/valuation/search.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"
#include "assay/comm/agree.hpp"
#include "support/world.hpp"
#include "valuation/oracle.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace assay::valuation {
namespace {

using assay::test::world;
using test::brute_force;
using test::Matrix;
using test::same_bytes;

constexpr std::array kDistances{Distance::l2, Distance::squared_l2, Distance::cosine,
                                Distance::inner_product};

Matrix random_matrix(std::uint64_t rows, std::uint64_t width, std::uint64_t seed) {
    Matrix matrix{rows, width, {}};
    Random random(seed, "matrix");
    for (std::uint64_t i = 0; i < rows * width; ++i)
        matrix.values.push_back(static_cast<float>(random.normal()));
    return matrix;
}

// Few distinct values: many rows at the same distance
Matrix coarse_matrix(std::uint64_t rows, std::uint64_t width, std::uint64_t seed) {
    Matrix matrix{rows, width, {}};
    Random random(seed, "coarse");
    for (std::uint64_t i = 0; i < rows * width; ++i)
        matrix.values.push_back(1 + static_cast<float>(random.below(3)));
    return matrix;
}

// Collective. All queries in blocks, owners in turn; the lists of all on every rank
Neighbours search_all(TrainingRows const& rows, Matrix const& queries, std::int64_t k, std::uint64_t block,
                      SearchOptions const& options = {}, std::int64_t* second_passes = nullptr) {
    Searcher searcher(rows, options);
    Neighbours all{k, {}, {}};
    int owner = 0;
    for (std::uint64_t begin = 0; begin < queries.rows; begin += block) {
        auto const count = std::min(block, queries.rows - begin);
        Neighbours const mine = searcher.search(queries.block(begin, count), k, owner);
        EXPECT_EQ(mine.rows.size(), owner == world().rank() ? count * static_cast<std::uint64_t>(k) : 0);
        auto const ids = comm::all_gather<std::int64_t>(world(), mine.rows);
        auto const distances = comm::all_gather<double>(world(), mine.distances);
        all.rows.insert(all.rows.end(), ids.begin(), ids.end());
        all.distances.insert(all.distances.end(), distances.begin(), distances.end());
        owner = (owner + 1) % world().size();
    }
    if (second_passes)
        *second_passes = comm::all_sum(world(), searcher.second_passes());
    return all;
}

Neighbours search_all(Distance distance, Matrix const& training, Matrix const& queries, std::int64_t k,
                      std::uint64_t block = 7, SearchOptions const& options = {},
                      std::int64_t* second_passes = nullptr) {
    TrainingRows const rows(world(), training.features("training"), distance, Storage::float32);
    return search_all(rows, queries, k, block, options, second_passes);
}

Error error_of(std::function<void()> const& work) {
    try {
        work();
    } catch (comm::AgreedError const& error) {
        return error;
    }
    ADD_FAILURE() << "no error was thrown";
    return {Exit::done, ""};
}

TEST(Searcher, FindsWhatADoubleLoopFinds) {
    for (Distance distance : kDistances)
        for (std::uint64_t width : {1, 3, 8, 37}) {
            Matrix const training = random_matrix(300, width, 1), queries = random_matrix(23, width, 2);
            EXPECT_TRUE(same_bytes(search_all(distance, training, queries, 12),
                                   brute_force(distance, training, queries, 12)))
                << name_of(distance) << " " << width;
        }
}

TEST(Searcher, OrdersTiesByRow) {
    for (Distance distance : kDistances) {
        Matrix const training = coarse_matrix(500, 3, 3), queries = coarse_matrix(9, 3, 4);
        for (std::int64_t k : {1, 10, 100})
            EXPECT_TRUE(same_bytes(search_all(distance, training, queries, k),
                                   brute_force(distance, training, queries, k)))
                << name_of(distance) << " " << k;
    }
}

TEST(Searcher, SizesAroundTheTiles) {
    for (std::uint64_t rows : {1, 2, 3, 15, 16, 17, 31, 32, 33, 64, 65, 129})
        for (std::int64_t k : {1, 2, 16, 64}) {
            if (k > static_cast<std::int64_t>(rows))
                continue;
            Matrix const training = random_matrix(rows, 5, rows), queries = random_matrix(4, 5, 9);
            EXPECT_TRUE(same_bytes(search_all(Distance::l2, training, queries, k, 3, {.row_tile = 16}),
                                   brute_force(Distance::l2, training, queries, k)))
                << rows << " rows, k = " << k;
        }
}

TEST(Searcher, AllRowsAskedFor) {
    Matrix const training = random_matrix(150, 6, 5), queries = random_matrix(3, 6, 6);
    EXPECT_TRUE(same_bytes(search_all(Distance::cosine, training, queries, 150),
                           brute_force(Distance::cosine, training, queries, 150)));
}

TEST(Searcher, ManyNeighbours) {
    Matrix const training = random_matrix(3000, 4, 5), queries = random_matrix(3, 4, 6);
    EXPECT_TRUE(same_bytes(search_all(Distance::l2, training, queries, 1000),
                           brute_force(Distance::l2, training, queries, 1000)));
}

TEST(Searcher, TilesBlocksThreadsAndDeviceSelectionLeaveNoTrace) {
    // Far from the origin, so that products round differently from shape to shape
    Matrix training = random_matrix(700, 40, 7), queries = random_matrix(50, 40, 8);
    for (Matrix* matrix : {&training, &queries})
        for (float& value : matrix->values)
            value += 100;
    Neighbours const expected = brute_force(Distance::l2, training, queries, 20);
    for (bool on_device : {false, true})
        for (int threads : {1, 3})
            for (std::int64_t tile : {33, 256, 4096})
                for (std::uint64_t block : {1, 17, 50}) {
                    at::set_num_threads(threads);
                    SearchOptions options;
                    options.row_tile = tile;
                    options.select_on_device = on_device;
                    EXPECT_TRUE(
                        same_bytes(search_all(Distance::l2, training, queries, 20, block, options), expected))
                        << on_device << " " << threads << " " << tile << " " << block;
                }
    at::set_num_threads(1);
}

// Queries enough for each thread to take some through the rows by itself; ties send all into a second pass
TEST(Searcher, ThreadsThatTakeQueriesApartLeaveNoTrace) {
    Matrix const training = coarse_matrix(2000, 2, 14), queries = coarse_matrix(800, 2, 15);
    for (Distance distance : {Distance::l2, Distance::inner_product}) {
        Neighbours const expected = brute_force(distance, training, queries, 4);
        for (int threads : {1, 2, 3}) {
            at::set_num_threads(threads);
            std::int64_t second = 0;
            EXPECT_TRUE(same_bytes(search_all(distance, training, queries, 4, 800, {.row_tile = 64}, &second),
                                   expected))
                << name_of(distance) << " " << threads;
            EXPECT_GE(second, 512) << "too few for threads apart";
        }
    }
    at::set_num_threads(1);
}

TEST(Searcher, IdenticalRowsGiveTheLowest) {
    Matrix training{1000, 6, std::vector<float>(6000, 0.3F)};
    Matrix const queries = random_matrix(5, 6, 1);
    std::int64_t second = 0;
    for (bool on_device : {false, true}) {
        SearchOptions options;
        options.select_on_device = on_device;
        options.row_tile = 90;
        Neighbours const found = search_all(Distance::l2, training, queries, 10, 2, options, &second);
        for (std::size_t i = 0; i < found.rows.size(); ++i)
            ASSERT_EQ(found.rows[i], static_cast<std::int64_t>(i % 10));
        EXPECT_GE(second, 5);
    }
}

TEST(Searcher, ThousandsOfDuplicatesAmongOthers) {
    // Rows 500 to 5499 are one and the same, the nearest of all; the rest are far
    Matrix training = random_matrix(6000, 8, 12);
    Matrix const queries = random_matrix(6, 8, 13);
    for (std::uint64_t r = 500; r < 5500; ++r)
        std::copy_n(queries.values.begin(), 8, training.values.begin() + static_cast<std::ptrdiff_t>(8 * r));
    std::int64_t second = 0;
    Neighbours const found = search_all(Distance::l2, training, queries, 50, 6, {}, &second);
    EXPECT_TRUE(same_bytes(found, brute_force(Distance::l2, training, queries, 50)));
    EXPECT_GE(second, 1);
    for (std::int64_t i = 0; i < 50; ++i) {
        EXPECT_EQ(found.rows[static_cast<std::size_t>(i)], 500 + i);
        EXPECT_EQ(found.distances[static_cast<std::size_t>(i)], 0);
    }
}

TEST(Searcher, OrdinaryDataNeedsNoSecondPass) {
    std::int64_t second = -1;
    Matrix const training = random_matrix(2000, 64, 1), queries = random_matrix(40, 64, 2);
    search_all(Distance::l2, training, queries, 50, 40, {}, &second);
    EXPECT_EQ(second, 0);
}

TEST(Searcher, RowsSortedFromFarToNear) {
    // Each row beats all before it: lists are sorted out again and again
    Matrix training{2000, 1, {}};
    for (int r = 0; r < 2000; ++r)
        training.values.push_back(static_cast<float>(2000 - r));
    Matrix const queries{1, 1, {0}};
    EXPECT_TRUE(same_bytes(search_all(Distance::l2, training, queries, 30),
                           brute_force(Distance::l2, training, queries, 30)));
}

TEST(Searcher, ShortStorageSearchesTheRoundedValues) {
    for (Storage storage : {Storage::float16, Storage::bfloat16})
        for (Distance distance : kDistances) {
            Matrix const training = random_matrix(300, 19, 20), queries = random_matrix(11, 19, 21);
            TrainingRows const rows(world(), training.features("training"), distance, storage);
            auto const rounded = [&](Matrix matrix) {
                if (distance == Distance::cosine)
                    matrix = test::normalised(std::move(matrix));
                at::Tensor values = at::from_blob(matrix.values.data(), {300 * 19})
                                        .narrow(0, 0, static_cast<std::int64_t>(matrix.values.size()));
                values.copy_(
                    values.to(storage == Storage::float16 ? at::kHalf : at::kBFloat16).to(at::kFloat));
                return matrix;
            };
            // Rounded after normalising, and compared as they are
            bool const cosine = distance == Distance::cosine;
            Neighbours expected = brute_force(cosine ? Distance::squared_l2 : distance, rounded(training),
                                              rounded(queries), 15);
            for (double& value : expected.distances)
                value *= cosine ? 0.5 : 1;
            EXPECT_TRUE(same_bytes(search_all(rows, queries, 15, 4), expected))
                << name_of(storage) << " " << name_of(distance);
        }
}

TEST(Searcher, StorageNamesAreReadBack) {
    for (Storage storage : {Storage::float32, Storage::float16, Storage::bfloat16})
        EXPECT_EQ(storage_named(name_of(storage)), storage);
    EXPECT_THROW(storage_named("int8"), Error);
}

TEST(Searcher, BadInputIsNamedOnAllRanks) {
    Matrix training = random_matrix(40, 3, 1), queries = random_matrix(4, 3, 2);
    auto const search = [&](std::int64_t k, Storage storage = Storage::float32) {
        TrainingRows const rows(world(), training.features("training"), Distance::l2, storage);
        Searcher(rows).search(queries.block(1, 3), k, 0);
    };
    for (std::int64_t k : {0, 41}) {
        Error const error = error_of([&] { search(k); });
        EXPECT_EQ(error.code(), Exit::usage);
        EXPECT_NE(std::string(error.what()).find(std::to_string(k) + " neighbours"), std::string::npos);
    }
    queries.values[3 * 2] = std::numeric_limits<float>::quiet_NaN(); // row 2, the second of the block
    Error error = error_of([&] { search(1); });
    EXPECT_EQ(error.code(), Exit::data);
    EXPECT_NE(std::string(error.what()).find("queries: row 2 holds nan"), std::string::npos);
    training.values[3 * 39 + 1] = 70000;
    error = error_of([&] { search(1, Storage::float16); });
    EXPECT_NE(std::string(error.what()).find("training: row 39 holds 70000 (too large for float16)"),
              std::string::npos);
    training.values[3 * 39 + 1] = std::numeric_limits<float>::infinity();
    error = error_of([&] { search(1); });
    EXPECT_EQ(error.code(), Exit::data);
    EXPECT_NE(std::string(error.what()).find("training: row 39 holds inf"), std::string::npos);
}

TEST(Searcher, CallsBackBetweenTiles) {
    Matrix const training = random_matrix(64, 3, 1), queries = random_matrix(4, 3, 2);
    TrainingRows const rows(world(), training.features("training"), Distance::l2, Storage::float32);
    int calls = 0;
    Searcher(rows, {.row_tile = 4}).search(queries.block(0, 4), 3, 0, [&] { ++calls; });
    EXPECT_EQ(calls, (rows.size() + 3) / 4);
}

TEST(Searcher, CallsBackOnTheCallersThreadOnly) {
    Matrix const training = random_matrix(64, 3, 1), queries = random_matrix(600, 3, 2);
    TrainingRows const rows(world(), training.features("training"), Distance::l2, Storage::float32);
    auto const caller = std::this_thread::get_id();
    at::set_num_threads(2);
    int calls = 0;
    Searcher(rows, {.row_tile = 4}).search(queries.block(0, 600), 3, 0, [&] {
        EXPECT_EQ(std::this_thread::get_id(), caller);
        ++calls;
    });
    at::set_num_threads(1);
    EXPECT_EQ(calls, (rows.size() + 3) / 4);
}

TEST(NearestAmong, ReranksInAnotherSpace) {
    Matrix const training = random_matrix(200, 5, 30), queries = random_matrix(6, 5, 31);
    TrainingRows const rows(world(), training.features("training"), Distance::cosine, Storage::float32);
    std::vector<std::int64_t> candidates;
    Matrix chosen{6 * 25, 5, {}};
    for (std::uint64_t q = 0; q < 6; ++q)
        for (std::uint64_t c = 0; c < 25; ++c) {
            std::uint64_t const row = (q + 8 * c) % 200;
            candidates.push_back(static_cast<std::int64_t>(row));
            chosen.values.insert(chosen.values.end(), training.row(row).begin(), training.row(row).end());
        }
    Neighbours const found = nearest_among(rows, queries.block(0, 6), candidates, 4, world().size() - 1);
    if (world().rank() != world().size() - 1)
        return;
    for (std::uint64_t q = 0; q < 6; ++q) {
        Matrix among{25,
                     5,
                     {chosen.values.begin() + static_cast<std::ptrdiff_t>(q * 125),
                      chosen.values.begin() + static_cast<std::ptrdiff_t>(q * 125 + 125)}};
        Matrix const query{1, 5, queries.block(q, 1).values};
        Neighbours const expected = brute_force(Distance::cosine, among, query, 4);
        for (std::size_t i = 0; i < 4; ++i) {
            EXPECT_EQ(found.distances[4 * q + i], expected.distances[i]);
            EXPECT_EQ(found.rows[4 * q + i],
                      candidates[25 * q + static_cast<std::uint64_t>(expected.rows[i])]);
        }
    }
}

} // namespace
} // namespace assay::valuation
