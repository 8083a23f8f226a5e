// Runs on any number of ranks (support/mpi_main.cpp)
#include "assay/store/result_file.hpp"

#include "assay/base/random.hpp"
#include "assay/comm/agree.hpp"
#include "support/world.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace assay::store {
namespace {

namespace fs = std::filesystem;
using test::world;

constexpr std::uint64_t kRows = 23, kShard = 4, kShards = 6; // the last shard is short

ResultLayout layout() {
    ResultLayout layout;
    layout.columns = {{"/signals/loss", native_type<float>(), {kRows}, "minus the loss", "nat", "member"},
                      {"/samples/id", native_type<std::uint64_t>(), {kRows}, "sample id", "1", ""},
                      {"/metrics/usage/curve", native_type<double>(), {2, 3}, "a table", "1", ""},
                      {"/values/hits", native_type<std::int64_t>(), {2}, "counts", "1", ""}};
    layout.shards = kShards;
    layout.text = {{"status", "running "}, {"job_hash", "abc"}, {"finished", "0000-00-00T00:00:00Z"}};
    layout.numbers = {{"shards_resumed", 0}, {"seed", 5}};
    layout.metric_names["/metrics/usage"] = {"bound"};
    layout.metric_texts["/metrics/usage"] = {"reason"};
    return layout;
}

std::uint64_t begin_of(std::uint64_t shard) {
    return shard * kShard;
}

// Random values: a constant column could hide a shard that is not there
std::vector<float> values_of(std::uint64_t shard) {
    std::vector<float> values(std::min(kShard, kRows - begin_of(shard)));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>(Random(1, "result file", begin_of(shard) + i).normal());
    return values;
}

std::uint64_t checksum_of(std::uint64_t shard) {
    return 1000 + shard;
}

bool same_bytes(std::vector<float> const& a, std::vector<float> const& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

class Results : public testing::Test {
  protected:
    fs::path path() const { return folder_ / "results.h5"; }

    // What a run killed at this moment would leave: the bytes that the kernel has by now, under another name
    fs::path as_if_killed_now() const {
        world().barrier();
        fs::path const copy = folder_ / "killed.h5";
        if (world().is_root())
            fs::copy_file(partial_of(path()), partial_of(copy), fs::copy_options::overwrite_existing);
        world().barrier();
        return copy;
    }

    // Each round, rank k writes shard first + k of `shards`, as a pass does; returns this rank's shards
    static std::vector<std::uint64_t> write_shards(ResultFile& file,
                                                   std::vector<std::uint64_t> const& shards) {
        std::vector<std::uint64_t> mine;
        auto const ranks = static_cast<std::size_t>(world().size());
        for (std::size_t first = 0; first < shards.size(); first += ranks) {
            std::size_t const at = first + static_cast<std::size_t>(world().rank());
            bool const works = at < shards.size();
            std::vector<float> const values = works ? values_of(shards[at]) : std::vector<float>();
            std::vector<RowRange> ranges;
            std::vector<std::uint64_t> numbers, checksums;
            if (works) {
                ranges = {{begin_of(shards[at]), values.size()}};
                numbers = {shards[at]};
                checksums = {checksum_of(shards[at])};
                mine.push_back(shards[at]);
            }
            file.write<float>("/signals/loss", ranges, values);
            file.write_checksums(numbers, checksums);
        }
        return mine;
    }

    test::SharedFolder folder_;
};

TEST_F(Results, AreUnfinishedUntilComplete) {
    EXPECT_FALSE(ResultFile::has_partial(path()));
    world().barrier(); // root must not create it while another rank still looks
    ResultFile file = ResultFile::create(world(), path(), layout());
    EXPECT_EQ(file.text("status"), "running ");
    EXPECT_EQ(file.text("job_hash"), "abc");
    EXPECT_EQ(file.text("none"), "");
    EXPECT_EQ(file.number("seed"), 5);
    EXPECT_EQ(file.number("none"), 0);
    EXPECT_EQ(file.number("status"), 0); // a text
    EXPECT_EQ(file.shards_done(), std::vector<std::uint8_t>(kShards, 0));
    file.close();
    EXPECT_TRUE(ResultFile::has_partial(path()));
    EXPECT_FALSE(fs::exists(path()));
}

TEST_F(Results, UnwrittenSignalsAreNan) {
    ResultFile file = ResultFile::create(world(), path(), layout());
    for (float value : file.read("/signals/loss", 0, kRows))
        EXPECT_TRUE(std::isnan(value));
    file.close();
}

TEST_F(Results, WhatIsCommittedSurvives) {
    {
        ResultFile file = ResultFile::create(world(), path(), layout());
        file.commit(write_shards(file, {0, 2, 5}));
        EXPECT_EQ(file.shards_done(), (std::vector<std::uint8_t>{1, 0, 1, 0, 0, 1}));
        file.close();
    }
    ResultFile file = ResultFile::reopen(world(), path());
    EXPECT_EQ(file.shards_done(), (std::vector<std::uint8_t>{1, 0, 1, 0, 0, 1}));
    for (std::uint64_t shard : {0, 2, 5}) {
        EXPECT_EQ(file.checksum(shard), checksum_of(shard));
        EXPECT_TRUE(same_bytes(file.read("/signals/loss", begin_of(shard), values_of(shard).size()),
                               values_of(shard)));
    }
    EXPECT_TRUE(std::isnan(file.read("/signals/loss", begin_of(1), 1)[0]));
    file.commit(write_shards(file, {1, 3, 4}));
    EXPECT_EQ(file.shards_done(), std::vector<std::uint8_t>(kShards, 1));
    file.close();
}

TEST_F(Results, ForgottenShardsStayForgotten) {
    ResultFile file = ResultFile::create(world(), path(), layout());
    file.commit(write_shards(file, {0, 1, 2}));
    file.forget(world().is_root() ? std::vector<std::uint64_t>{1} : std::vector<std::uint64_t>{});
    EXPECT_EQ(file.shards_done(), (std::vector<std::uint8_t>{1, 0, 1, 0, 0, 0}));
    file.close();
    ResultFile again = ResultFile::reopen(world(), path());
    EXPECT_EQ(again.shards_done(), (std::vector<std::uint8_t>{1, 0, 1, 0, 0, 0}));
    again.close();
}

TEST_F(Results, WideColumnsOfAnyTypeAreReadBackByRows) {
    constexpr std::uint64_t kWidth = 3;
    ResultLayout wide;
    wide.columns = {{"/neighbours/row", native_type<std::int64_t>(), {kRows, kWidth}, "rows", "1", ""},
                    {"/neighbours/distance", native_type<double>(), {kRows, kWidth}, "distances", "1", ""}};
    wide.shards = 1;
    ResultFile file = ResultFile::create(world(), path(), wide);
    auto const ranks = static_cast<std::uint64_t>(world().size()),
               rank = static_cast<std::uint64_t>(world().rank());
    RowRange const mine{kRows * rank / ranks, kRows * (rank + 1) / ranks - kRows * rank / ranks};
    std::vector<std::int64_t> rows;
    std::vector<double> distances;
    for (std::uint64_t element = mine.begin * kWidth; element < (mine.begin + mine.count) * kWidth;
         ++element) {
        rows.push_back(static_cast<std::int64_t>(element) - 7);
        distances.push_back(static_cast<double>(element) / 3);
    }
    file.write<std::int64_t>("/neighbours/row", {&mine, 1}, rows);
    file.write<double>("/neighbours/distance", {&mine, 1}, distances);
    world().barrier();
    EXPECT_EQ(file.read<std::int64_t>("/neighbours/row", 21, 2),
              (std::vector<std::int64_t>{56, 57, 58, 59, 60, 61}));
    EXPECT_EQ(file.read<double>("/neighbours/distance", 5, 1),
              (std::vector<double>{15 / 3., 16 / 3., 17 / 3.}));
    file.close();
}

TEST_F(Results, AKilledRunLeavesAFileThatOpensAndClaimsOnlyWhatItHolds) {
    ResultFile file = ResultFile::create(world(), path(), layout());
    {
        ResultFile left = ResultFile::reopen(world(), as_if_killed_now());
        EXPECT_EQ(left.shards_done(), std::vector<std::uint8_t>(kShards, 0));
        left.close();
    }
    std::vector<std::uint64_t> const mine = write_shards(file, {0, 1, 2, 3});
    {
        ResultFile left = ResultFile::reopen(world(), as_if_killed_now()); // between data and flag
        EXPECT_EQ(left.shards_done(), std::vector<std::uint8_t>(kShards, 0));
        left.close();
    }
    file.commit(mine);
    {
        ResultFile left = ResultFile::reopen(world(), as_if_killed_now());
        // Without MPI, HDF5 keeps the flags in a buffer till the next flush: work is lost, nothing false
        // claimed
        std::vector<std::uint8_t> const claimed{1, 1, 1, 1, 0, 0};
        EXPECT_TRUE(left.shards_done() == claimed || world().is_serial());
        EXPECT_EQ(left.text("status"), "running ");
        for (std::uint64_t shard = 0; shard < 4; ++shard) {
            EXPECT_EQ(left.checksum(shard), checksum_of(shard));
            EXPECT_TRUE(same_bytes(left.read("/signals/loss", begin_of(shard), kShard), values_of(shard)));
        }
        left.close();
    }
    file.close();
}

TEST_F(Results, CreateReplacesAPartialFile) {
    {
        ResultFile file = ResultFile::create(world(), path(), layout());
        file.commit(write_shards(file, {0, 1}));
        file.close();
    }
    ResultFile file = ResultFile::create(world(), path(), layout());
    file.close();
    ResultFile again = ResultFile::reopen(world(), path());
    EXPECT_EQ(again.shards_done(), std::vector<std::uint8_t>(kShards, 0));
    again.close();
}

TEST_F(Results, CompleteWritesMetricsInPlaceAndRenames) {
    std::vector<std::uint64_t> ids(kRows);
    for (std::uint64_t i = 0; i < kRows; ++i)
        ids[i] = i * i;
    {
        ResultFile file = ResultFile::create(world(), path(), layout());
        RowRange const all{0, kRows};
        bool const root = world().is_root();
        file.write<std::uint64_t>("/samples/id", {&all, root ? std::size_t{1} : 0}, ids);
        file.commit(write_shards(file, {0, 1, 2, 3, 4, 5}));
        file.close();
    }
    std::uintmax_t const size = fs::file_size(partial_of(path()));
    world().barrier();
    std::string const reason = "because " + std::string(300, 'x');
    std::vector<Metrics> const metrics{
        {"/metrics/usage", {{"bound", 0.25}}, {{"reason", reason}}, {{"curve", {1, 2, 3, 4, 5, 6}}}},
        {"/values", {}, {}, {}, {{"hits", {-7, std::int64_t{1} << 62}}}}};
    if (world().is_root())
        complete(path(), metrics, {{"finished", "2026-01-31T12:00:00Z"}}, {{"shards_resumed", 3}});
    world().barrier();
    EXPECT_FALSE(ResultFile::has_partial(path()));
    EXPECT_EQ(fs::file_size(path()), size); // no metadata was added, so none can have moved

    Handle const file = open_to_read(path());
    EXPECT_EQ(read_string(file, "/", "status"), "complete");
    EXPECT_EQ(read_string(file, "/", "finished"), "2026-01-31T12:00:00Z");
    EXPECT_EQ(read_string(file, "/metrics/usage", "reason"), reason.substr(0, 256));
    EXPECT_EQ(read_string(file, "/signals/loss", "larger_means"), "member");
    EXPECT_EQ(read_string(file, "/samples/id", "larger_means"), std::nullopt);
    EXPECT_EQ(read_all<std::uint64_t>(open_dataset(file, "/samples/id")), ids);
    EXPECT_EQ(read_all<double>(open_dataset(file, "/metrics/usage/curve")),
              (std::vector<double>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(read_all<std::int64_t>(open_dataset(file, "/values/hits")),
              (std::vector<std::int64_t>{-7, std::int64_t{1} << 62}));
    double bound = 0;
    std::int64_t resumed = 0;
    Handle const a(H5Aopen_by_name(file.id(), "/metrics/usage", "bound", H5P_DEFAULT, H5P_DEFAULT), "bound");
    Handle const b(H5Aopen(file.id(), "shards_resumed", H5P_DEFAULT), "shards_resumed");
    require(H5Aread(a.id(), H5T_NATIVE_DOUBLE, &bound), "bound");
    require(H5Aread(b.id(), H5T_NATIVE_INT64, &resumed), "shards_resumed");
    EXPECT_EQ(bound, 0.25);
    EXPECT_EQ(resumed, 3);
}

TEST_F(Results, CompleteNeedsItsPartialFile) {
    EXPECT_THROW(complete(path(), {}, {}, {}), Error);
    EXPECT_FALSE(fs::exists(path()));
}

TEST_F(Results, ATableMustHaveTheAnnouncedSize) {
    ResultFile::create(world(), path(), layout()).close();
    std::vector<Metrics> const metrics{{"/metrics/usage", {}, {}, {{"curve", {1, 2, 3}}}}};
    if (world().is_root()) {
        EXPECT_THROW(complete(path(), metrics, {}, {}), Error);
    }
    EXPECT_TRUE(ResultFile::has_partial(path()));
    EXPECT_FALSE(fs::exists(path()));
    world().barrier();
}

TEST_F(Results, AllRanksThrowWhenTheFileCannotBeMadeOrOpened) {
    fs::path const nowhere = folder_ / "no-such-folder" / "results.h5";
    for (bool create : {true, false})
        try {
            if (create)
                ResultFile::create(world(), nowhere, layout());
            else
                ResultFile::reopen(world(), nowhere);
            ADD_FAILURE();
        } catch (comm::AgreedError const& error) {
            EXPECT_EQ(error.code(), create ? Exit::io : Exit::data);
            EXPECT_NE(std::string(error.what()).find(nowhere.string()), std::string::npos) << error.what();
        }
}

TEST_F(Results, AFileThatIsNoResultsFileIsRefusedOnAllRanks) {
    if (world().is_root())
        create_dataset(create_file(partial_of(path())), "/something", native_type<float>(), {1});
    world().barrier();
    EXPECT_THROW(ResultFile::reopen(world(), path()), comm::AgreedError);
}

// The bytes of every dataset are the same on any number of ranks: serial ones stand in for another number
TEST_F(Results, DatasetsHaveTheBytesOfASerialRun) {
    ResultFile file = ResultFile::create(world(), path(), layout());
    file.commit(write_shards(file, {0, 1, 2, 3, 4, 5}));
    std::vector<float> const column = file.read("/signals/loss", 0, kRows);
    file.close();
    std::vector<float> expected;
    for (std::uint64_t shard = 0; shard < kShards; ++shard) {
        std::vector<float> const values = values_of(shard);
        expected.insert(expected.end(), values.begin(), values.end());
    }
    EXPECT_TRUE(same_bytes(column, expected));
}

} // namespace
} // namespace assay::store
