// Runs on any number of ranks (support/mpi_main.cpp)
#include "assay/valuation/neighbour_pass.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"
#include "assay/base/signals.hpp"
#include "assay/comm/agree.hpp"
#include "support/world.hpp"
#include "valuation/oracle.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace assay::valuation {
namespace {

using assay::test::SharedFolder;
using assay::test::world;
using test::brute_force;
using test::Matrix;
using test::same_bytes;

namespace fs = std::filesystem;

Matrix random_matrix(std::uint64_t rows, std::uint64_t width, std::uint64_t seed) {
    Matrix matrix{rows, width, {}};
    Random random(seed, "matrix");
    for (std::uint64_t i = 0; i < rows * width; ++i)
        matrix.values.push_back(static_cast<float>(random.normal()));
    return matrix;
}

// Two searches: 45 queries of width 6 in blocks of 8 (6 shards), and 20 of width 3 (3 shards)
struct Case {
    Matrix training = random_matrix(120, 6, 1), queries = random_matrix(45, 6, 2);
    Matrix pixels = random_matrix(90, 3, 3), pixel_queries = random_matrix(20, 3, 4);
    int reads = 0; // of blocks of queries, by this rank

    std::vector<Search> searches() {
        Search first{
            "generated", {training.features("training"), counted(queries, "generated")}, 9, "/neighbours"};
        Search second{"pixels",
                      {pixels.features("pixels"), counted(pixel_queries, "pixel queries"), Distance::cosine},
                      4,
                      "/pixel_neighbours"};
        return {first, second};
    }
    FeatureMatrix counted(Matrix const& matrix, std::string name) {
        FeatureMatrix features = matrix.features(std::move(name));
        features.read = [this, read = features.read](std::uint64_t begin, std::uint64_t count,
                                                     std::span<float> out) {
            ++reads;
            read(begin, count, out);
        };
        return features;
    }
};

constexpr NeighbourOptions kCommitEachBlock{.block = 8, .commit_seconds = 0};

// Runs over the file, new or begun before, and closes it however the pass ends
pass::PassSummary run(comm::Communicator const& comm, fs::path const& path,
                      std::vector<Search> const& searches, bool reopen = false,
                      NeighbourOptions const& options = kCommitEachBlock) {
    store::ResultLayout layout;
    for (Search const& search : searches)
        for (store::Column const& column : neighbour_columns(search))
            layout.columns.push_back(column);
    layout.shards = neighbour_shards(searches, options.block).size();
    store::ResultFile file =
        reopen ? store::ResultFile::reopen(comm, path) : store::ResultFile::create(comm, path, layout);
    try {
        pass::PassSummary const summary = find_neighbours(comm, file, searches, options);
        file.close();
        return summary;
    } catch (comm::AgreedError const&) {
        file.close();
        throw;
    }
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

Neighbours lists_in(fs::path const& path, std::string const& group, std::int64_t k) {
    world().barrier();
    store::Handle const file = store::open_to_read(store::partial_of(path));
    return {k, store::read_all<std::int64_t>(store::open_dataset(file, group + "/row")),
            store::read_all<double>(store::open_dataset(file, group + "/distance"))};
}

void expect_all_lists(fs::path const& path, Case const& data) {
    EXPECT_TRUE(same_bytes(lists_in(path, "/neighbours", 9),
                           brute_force(Distance::l2, data.training, data.queries, 9)));
    EXPECT_TRUE(same_bytes(lists_in(path, "/pixel_neighbours", 4),
                           brute_force(Distance::cosine, data.pixels, data.pixel_queries, 4)));
}

// The block of the first search that begins at query `begin` cannot be read
std::vector<Search> failing_at(Case& data, std::uint64_t begin) {
    auto searches = data.searches();
    FeatureMatrix& queries = searches[0].space.queries;
    queries.read = [begin, read = queries.read](std::uint64_t first, std::uint64_t count,
                                                std::span<float> out) {
        if (first == begin)
            fail(Exit::io, "the disk is gone");
        read(first, count, out);
    };
    return searches;
}

TEST(NeighbourPass, FindsAllListsOfAllSearches) {
    SharedFolder const folder;
    Case data;
    pass::PassSummary const summary = run(world(), folder / "r.h5", data.searches());
    EXPECT_EQ(summary.shards, 9U);
    EXPECT_EQ(summary.computed, 9U);
    expect_all_lists(folder / "r.h5", data);
    EXPECT_EQ(comm::all_sum(world(), data.reads), 9); // each block once, by one rank
}

TEST(NeighbourPass, BlocksLeaveNoTrace) {
    for (std::uint64_t block : {1, 13, 1000}) {
        SharedFolder const folder;
        Case data;
        run(world(), folder / "r.h5", data.searches(), false, {.block = block, .commit_seconds = 100});
        expect_all_lists(folder / "r.h5", data);
    }
}

TEST(NeighbourPass, GoesOnWhereItWasInterrupted) {
    SharedFolder const folder;
    Case data;
    auto const broken = failing_at(data, 24); // block 3; blocks 0 to 1 are committed by then
    Error const error = error_of([&] { run(world(), folder / "r.h5", broken); });
    EXPECT_EQ(error.code(), Exit::io);
    EXPECT_STREQ(error.what(), "the disk is gone");
    pass::PassSummary const summary = run(world(), folder / "r.h5", data.searches(), true);
    EXPECT_EQ(summary.resumed, 2U);
    EXPECT_EQ(summary.computed, 7U);
    expect_all_lists(folder / "r.h5", data);
}

TEST(NeighbourPass, ResumesOnAnotherNumberOfRanks) {
    SharedFolder const folder;
    Case data;
    auto const broken = failing_at(data, 24);
    comm::agree(world(), [&] {
        if (world().is_root())
            error_of([&] { run({}, folder / "serial.h5", broken); });
    });
    EXPECT_EQ(run(world(), folder / "serial.h5", data.searches(), true).resumed, 2U);
    expect_all_lists(folder / "serial.h5", data);
    error_of([&] { run(world(), folder / "parallel.h5", broken); });
    world().barrier();
    comm::agree(world(), [&] {
        if (world().is_root()) {
            EXPECT_EQ(run({}, folder / "parallel.h5", data.searches(), true).resumed, 2U);
        }
    });
    expect_all_lists(folder / "parallel.h5", data);
    auto const checksums = [](fs::path const& path) {
        store::Handle const file = store::open_to_read(store::partial_of(path));
        return store::read_all<std::uint64_t>(store::open_dataset(file, "/ledger/shard_checksum"));
    };
    EXPECT_EQ(checksums(folder / "serial.h5"), checksums(folder / "parallel.h5"));
}

TEST(NeighbourPass, ComputesDamagedBlocksAgain) {
    SharedFolder const folder;
    Case data;
    run(world(), folder / "r.h5", data.searches());
    world().barrier();
    if (world().is_root()) {
        store::Handle const file = store::open_to_write(store::partial_of(folder / "r.h5"));
        std::vector<std::int64_t> const row(9, 5);
        std::vector<double> const distance(4, 0.25);
        store::write_rows(store::open_dataset(file, "/neighbours/row"), 44, 1,
                          store::native_type<std::int64_t>(), row.data());
        store::write_rows(store::open_dataset(file, "/pixel_neighbours/distance"), 0, 1,
                          store::native_type<double>(), distance.data());
    }
    world().barrier();
    EXPECT_EQ(run(world(), folder / "r.h5", data.searches(), true).computed, 2U);
    expect_all_lists(folder / "r.h5", data);
}

TEST(NeighbourPass, AFinishedFileLoadsNothing) {
    SharedFolder const folder;
    Case data;
    run(world(), folder / "r.h5", data.searches());
    auto searches = data.searches();
    for (Search& search : searches)
        search.space.training.read = [](auto...) { FAIL() << "training rows were read"; };
    EXPECT_EQ(run(world(), folder / "r.h5", searches, true).computed, 0U);
}

TEST(NeighbourPass, RanksAgainInASecondSpace) {
    SharedFolder const folder;
    Case data;
    Matrix const training = random_matrix(120, 4, 8), queries = random_matrix(45, 4, 9);
    auto searches = data.searches();
    searches[0].rerank = Rerank{
        {training.features("second training"), queries.features("second queries"), Distance::squared_l2}, 25};
    run(world(), folder / "r.h5", searches);
    Neighbours const found = lists_in(folder / "r.h5", "/neighbours", 9);
    Neighbours const wide = brute_force(Distance::l2, data.training, data.queries, 25);
    for (std::size_t q = 0; q < 45; ++q) {
        std::vector<std::pair<double, std::int64_t>> expected;
        for (std::size_t c = 0; c < 25; ++c) {
            std::int64_t const row = wide.rows[25 * q + c];
            expected.emplace_back(test::key_of(Distance::squared_l2,
                                               training.row(static_cast<std::uint64_t>(row)), queries.row(q)),
                                  row);
        }
        std::sort(expected.begin(), expected.end());
        for (std::size_t i = 0; i < 9; ++i)
            ASSERT_EQ(std::pair(found.distances[9 * q + i], found.rows[9 * q + i]), expected[i])
                << q << " " << i;
    }
    searches[0].rerank->space.training.rows = 119;
    EXPECT_EQ(error_of([&] { run(world(), folder / "other.h5", searches); }).code(), Exit::data);
}

TEST(NeighbourPass, LooksThroughInvertedListsWhereAsked) {
    SharedFolder const folder;
    Case data;
    auto searches = data.searches();
    searches[0].ivf = IvfOptions{.lists = 10, .probes = 10, .seed = 1}; // all of them
    searches[1].ivf = IvfOptions{.lists = 30, .probes = 1, .seed = 1};
    run(world(), folder / "r.h5", searches);
    EXPECT_TRUE(same_bytes(lists_in(folder / "r.h5", "/neighbours", 9),
                           brute_force(Distance::l2, data.training, data.queries, 9)));
    Neighbours const found = lists_in(folder / "r.h5", "/pixel_neighbours", 4);
    Neighbours const exact = brute_force(Distance::cosine, data.pixels, data.pixel_queries, 4);
    EXPECT_NE(found.rows, exact.rows); // one cell of thirty cannot hold all
    for (std::size_t i = 0; i < found.rows.size(); ++i)
        EXPECT_GE(found.distances[i], exact.distances[i]);
}

// What another machine's k-means has placed is gone on with, and shared with the search that says so
TEST(NeighbourPass, CellsOutliveAnInterruption) {
    SharedFolder const folder;
    Case data;
    auto broken = failing_at(data, 0), searches = data.searches();
    for (auto* each : {&broken, &searches}) {
        each->at(0).ivf = IvfOptions{.lists = 12, .probes = 1, .seed = 1};
        each->at(1) = each->at(0);
        each->at(1).group = "/again";
        each->at(1).cells_of = "/neighbours";
    }
    broken[1].space.queries.read = searches[1].space.queries.read;
    error_of([&] { run(world(), folder / "r.h5", broken); });
    TrainingRows const rows(world(), data.training.features("training"), Distance::l2, Storage::float32);
    std::vector<float> const cells = place_cells(rows, {.lists = 12, .seed = 2});
    if (world().is_root()) {
        store::Handle const file = store::open_to_write(store::partial_of(folder / "r.h5"));
        std::vector<double> const kept(cells.begin(), cells.end());
        store::write_rows(store::open_dataset(file, "/neighbours/centroid"), 0, 12,
                          store::native_type<double>(), kept.data());
    }
    world().barrier();
    run(world(), folder / "r.h5", searches, true);
    Neighbours const wanted = InvertedLists(rows, cells, 1).search(data.queries.block(0, 45), 9, 0);
    for (char const* group : {"/neighbours", "/again"}) {
        Neighbours const found = lists_in(folder / "r.h5", group, 9);
        if (world().is_root()) {
            EXPECT_TRUE(same_bytes(found, wanted)) << group;
        }
    }
}

TEST(NeighbourPass, BadFeaturesStopAllRanks) {
    SharedFolder const folder;
    Case data;
    data.queries.values[6 * 30] = std::numeric_limits<float>::infinity();
    Error error = error_of([&] { run(world(), folder / "r.h5", data.searches()); });
    EXPECT_EQ(error.code(), Exit::data);
    EXPECT_NE(std::string(error.what()).find("generated: row 30 holds inf"), std::string::npos);
    auto searches = data.searches();
    searches[1].k = 91;
    searches[0].space.queries.rows = 24;
    error = error_of([&] { run(world(), folder / "r.h5", searches); });
    EXPECT_EQ(error.code(), Exit::usage);
    EXPECT_NE(std::string(error.what()).find("91 neighbours of each row of pixel queries"),
              std::string::npos);
}

// Last: a request to stop cannot be taken back
TEST(NeighbourPass, StopsOnASignalBlockByBlock) {
    SharedFolder const folder;
    Case data;
    watch_for_stop();
    if (world().rank() == world().size() - 1) // one rank is asked, all stop
        std::raise(SIGUSR1);
    for (int round = 0; round < 8; ++round)
        EXPECT_EQ(error_of([&] { run(world(), folder / "r.h5", data.searches(), round > 0); }).code(),
                  Exit::stopped);
    EXPECT_EQ(run(world(), folder / "r.h5", data.searches(), true).computed, 1U);
    expect_all_lists(folder / "r.h5", data);
}

} // namespace
} // namespace assay::valuation
