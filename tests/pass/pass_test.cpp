#include "assay/pass/pass.hpp"

#include "assay/base/error.hpp"
#include "assay/base/signals.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "support/world.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <limits>
#include <mutex>
#include <thread>

using namespace assay;
using namespace assay::pass;
using assay::test::SharedFolder;
using assay::test::world;

namespace {

constexpr std::uint64_t kShardSize = 4;
constexpr PassOptions kCommitEachRound{kShardSize, 0};

// What this rank's closures were asked for
struct Calls {
    std::atomic<int> read{0}, computed{0};
};

// The value of column c of a source at sample i
float value_of(std::size_t source, std::size_t column, std::uint64_t i) {
    return static_cast<float>(10000 * source + 1000 * column + i) + 0.5F;
}

std::string column_path(std::size_t source, std::size_t column) {
    return "/source" + std::to_string(source) + "/column" + std::to_string(column);
}

// Every second column of a source holds three values per sample
std::uint64_t width_of(std::size_t column) {
    return column % 2 == 0 ? 1 : 3;
}

float value_of(std::size_t source, std::size_t column, std::uint64_t i, std::uint64_t place) {
    return value_of(source, column, i) + 0.125F * static_cast<float>(place);
}

// Sources of these sizes; source s has s + 1 columns. Ids travel from read() to compute(), and values follow
// from ids
std::vector<Source> make_sources(std::vector<std::uint64_t> const& sizes, Calls& calls) {
    std::vector<Source> sources;
    for (std::size_t s = 0; s < sizes.size(); ++s) {
        Source source;
        source.name = "source " + std::to_string(s);
        source.size = sizes[s];
        for (std::size_t c = 0; c <= s; ++c) {
            source.columns.push_back(column_path(s, c));
            source.widths.push_back(width_of(c));
        }
        source.read = [&calls](std::uint64_t begin, std::uint64_t end) {
            ++calls.read;
            data::Samples samples;
            for (std::uint64_t i = begin; i < end; ++i)
                samples.ids.push_back(i);
            return samples;
        };
        source.compute = [s, &calls](data::Samples&& samples) {
            ++calls.computed;
            std::vector<float> values;
            for (std::size_t c = 0; c <= s; ++c)
                for (std::uint64_t id : samples.ids)
                    for (std::uint64_t place = 0; place < width_of(c); ++place)
                        values.push_back(value_of(s, c, id, place));
            return values;
        };
        sources.push_back(std::move(source));
    }
    return sources;
}

store::ResultLayout layout_of(std::vector<Source> const& sources) {
    store::ResultLayout layout;
    for (Source const& source : sources)
        for (std::size_t c = 0; c < source.columns.size(); ++c) {
            store::Shape const shape =
                width_of(c) == 1 ? store::Shape{source.size} : store::Shape{source.size, width_of(c)};
            layout.columns.push_back(
                {source.columns[c], store::native_type<float>(), shape, "a test column", "1", ""});
        }
    layout.shards = ShardPlan(sources, kShardSize).size();
    return layout;
}

// Runs a pass over the file, new or begun before, and closes it however the pass ends
PassSummary run(comm::Communicator const& comm, std::filesystem::path const& path,
                std::vector<Source> const& sources, bool reopen = false,
                PassOptions const& options = kCommitEachRound) {
    store::ResultFile file = reopen ? store::ResultFile::reopen(comm, path)
                                    : store::ResultFile::create(comm, path, layout_of(sources));
    try {
        PassSummary const summary = run_pass(comm, file, sources, options);
        file.close();
        return summary;
    } catch (comm::AgreedError const&) {
        file.close();
        throw;
    }
}

void expect_all_values(std::filesystem::path const& path, std::vector<Source> const& sources) {
    world().barrier();
    store::Handle const file = store::open_to_read(store::partial_of(path));
    for (std::size_t s = 0; s < sources.size(); ++s)
        for (std::size_t c = 0; c < sources[s].columns.size(); ++c) {
            auto const values = store::read_all<float>(store::open_dataset(file, column_path(s, c)));
            ASSERT_EQ(values.size(), sources[s].size * width_of(c));
            for (std::uint64_t i = 0; i < values.size(); ++i)
                ASSERT_EQ(values[i], value_of(s, c, i / width_of(c), i % width_of(c)))
                    << column_path(s, c) << " at " << i;
        }
}

// {message, code} of the error that all ranks throw together
Error agreed_error(comm::Communicator const& comm, std::filesystem::path const& path,
                   std::vector<Source> const& sources, bool reopen = false) {
    try {
        run(comm, path, sources, reopen);
    } catch (comm::AgreedError const& error) {
        return error;
    }
    ADD_FAILURE() << "no error was thrown";
    return {Exit::done, ""};
}

// Sums over ranks
std::int64_t total(int mine) {
    return comm::all_sum(world(), mine);
}

// Makes one of the sources fail at the shard that begins at sample `begin`, in read() or compute()
void fail_at(Source& source, std::uint64_t begin, std::string const& in, std::function<void()> action) {
    if (in == "read")
        source.read = [action, begin, good = source.read](std::uint64_t first, std::uint64_t last) {
            if (first == begin)
                action();
            return good(first, last);
        };
    else
        source.compute = [action, begin, good = source.compute](data::Samples&& samples) {
            if (samples.ids.front() == begin)
                action();
            return good(std::move(samples));
        };
}

void fail_with_data_error() {
    fail(Exit::data, "the logit of sample 17 is nan");
}

// The number of this rank's rounds for so many shards
int rounds(std::size_t shards) {
    auto const ranks = static_cast<std::size_t>(world().size()),
               rank = static_cast<std::size_t>(world().rank());
    return static_cast<int>((shards + ranks - 1 - rank) / ranks);
}

template <class Change>
void change_file(std::filesystem::path const& path, Change change) {
    comm::agree(world(), [&] {
        if (world().is_root())
            change(store::open_to_write(store::partial_of(path)));
    });
}

} // namespace

TEST(ShardPlan, NumbersThroughAllSources) {
    Calls calls;
    ShardPlan const shards(make_sources({9, 0, 4, 2}, calls), 4);
    ASSERT_EQ(shards.size(), 5U);
    std::vector<std::array<std::uint64_t, 4>> const expected{
        {0, 0, 0, 4}, {1, 0, 4, 8}, {2, 0, 8, 9}, {3, 2, 0, 4}, {4, 3, 0, 2}};
    for (std::size_t i = 0; i < 5; ++i)
        EXPECT_EQ((std::array<std::uint64_t, 4>{shards[i].number, shards[i].source, shards[i].begin,
                                                shards[i].end}),
                  expected[i])
            << i;
    EXPECT_TRUE(ShardPlan(std::vector<Sequence>(), 4).size() == 0);
}

TEST(Pass, WritesEveryValueAtItsPlace) {
    for (std::vector<std::uint64_t> const& sizes : std::vector<std::vector<std::uint64_t>>{
             {16}, {37, 5, 18}, {3, 50}, {0, 7}, {1, 1, 1}, {4}, {2}}) { // also more ranks than shards
        SCOPED_TRACE(fmt::format("{}", fmt::join(sizes, " ")));
        SharedFolder const folder;
        Calls calls;
        auto const sources = make_sources(sizes, calls);
        std::size_t const shards = ShardPlan(sources, kShardSize).size();
        PassSummary const summary = run(world(), folder / "r.h5", sources);
        EXPECT_EQ(summary.shards, shards);
        EXPECT_EQ(summary.computed, shards);
        EXPECT_EQ(summary.resumed, 0U);
        expect_all_values(folder / "r.h5", sources);
        EXPECT_EQ(total(calls.read), static_cast<std::int64_t>(shards));
        EXPECT_EQ(total(calls.computed), static_cast<std::int64_t>(shards));
        EXPECT_EQ(calls.computed, rounds(shards)); // evenly shared out
    }
}

TEST(Pass, MarksFinishedShardsInTheLedger) {
    SharedFolder const folder;
    Calls calls;
    auto const sources = make_sources({10, 9}, calls);
    run(world(), folder / "r.h5", sources, false, {kShardSize, 1000}); // committed once, at the end
    world().barrier();
    store::Handle const file = store::open_to_read(store::partial_of(folder / "r.h5"));
    EXPECT_EQ(store::read_all<std::uint8_t>(store::open_dataset(file, "/ledger/shard_done")),
              std::vector<std::uint8_t>(6, 1));
}

TEST(Pass, FinishedShardsAreNotComputedAgain) {
    SharedFolder const folder;
    Calls first, second;
    auto const sources = make_sources({20, 9}, first);
    run(world(), folder / "r.h5", sources);
    PassSummary const summary = run(world(), folder / "r.h5", make_sources({20, 9}, second), true);
    EXPECT_EQ(summary.resumed, 8U);
    EXPECT_EQ(summary.computed, 0U);
    EXPECT_EQ(second.read + second.computed, 0);
    expect_all_values(folder / "r.h5", sources);
}

TEST(Pass, ThrowsOnAllRanksTogetherAndGoesOnLater) {
    for (char const* where : {"read", "compute"})
        for (std::uint64_t const bad : {0U, 2U, 5U, 7U}) { // among them the first and the last shard
            SCOPED_TRACE(fmt::format("{} of shard {}", where, bad));
            SharedFolder const folder;
            Calls first, second;
            auto broken = make_sources({30}, first);
            fail_at(broken[0], bad * kShardSize, where, fail_with_data_error);
            Error const error = agreed_error(world(), folder / "r.h5", broken);
            EXPECT_EQ(error.code(), Exit::data);
            EXPECT_STREQ(error.what(), "the logit of sample 17 is nan");

            // What came in earlier rounds is there, and only the rest is computed
            auto const ranks = static_cast<std::uint64_t>(world().size());
            std::uint64_t const there = bad / ranks * ranks;
            auto const sources = make_sources({30}, second);
            PassSummary const summary = run(world(), folder / "r.h5", sources, true);
            EXPECT_EQ(summary.resumed, there);
            EXPECT_EQ(summary.computed, 8 - there);
            EXPECT_EQ(total(second.computed), static_cast<std::int64_t>(8 - there));
            expect_all_values(folder / "r.h5", sources);
        }
}

TEST(Pass, ForeignExceptionsAreInternalErrorsOnAllRanks) {
    for (char const* where : {"read", "compute"})
        for (std::uint64_t const bad : {0U, 7U}) {
            SCOPED_TRACE(fmt::format("{} of shard {}", where, bad));
            SharedFolder const folder;
            Calls calls;
            auto broken = make_sources({30}, calls);
            fail_at(broken[0], bad * kShardSize, where, [] { throw std::runtime_error("foreign"); });
            Error const error = agreed_error(world(), folder / "r.h5", broken);
            EXPECT_EQ(error.code(), Exit::internal);
            EXPECT_STREQ(error.what(), "foreign");
        }
}

TEST(Pass, ResumesOnAnotherNumberOfRanks) {
    SharedFolder const folder;
    Calls calls;
    auto const sources = make_sources({21, 14}, calls); // 6 and 4 shards
    auto broken = make_sources({21, 14}, calls);
    fail_at(broken[1], 0, "compute", fail_with_data_error); // shard 6

    // One rank begins, all go on
    comm::agree(world(), [&] {
        if (world().is_root())
            agreed_error({}, folder / "serial.h5", broken);
    });
    EXPECT_EQ(run(world(), folder / "serial.h5", sources, true).resumed, 6U);
    expect_all_values(folder / "serial.h5", sources);

    // All begin, one rank goes on
    auto const ranks = static_cast<std::uint64_t>(world().size());
    agreed_error(world(), folder / "parallel.h5", broken);
    world().barrier();
    comm::agree(world(), [&] {
        if (world().is_root()) {
            EXPECT_EQ(run({}, folder / "parallel.h5", sources, true).resumed, 6 / ranks * ranks);
        }
    });
    expect_all_values(folder / "parallel.h5", sources);

    // The bytes that all this led to
    store::Handle const one = store::open_to_read(store::partial_of(folder / "serial.h5"));
    store::Handle const other = store::open_to_read(store::partial_of(folder / "parallel.h5"));
    auto const checksums = [](store::Handle const& file) {
        return store::read_all<std::uint64_t>(store::open_dataset(file, "/ledger/shard_checksum"));
    };
    EXPECT_EQ(checksums(one), checksums(other));
}

TEST(Pass, ComputesDamagedShardsAgain) {
    SharedFolder const folder;
    Calls first, second;
    auto const sources = make_sources({10, 13}, first); // shards 0 to 2 and 3 to 6
    run(world(), folder / "r.h5", sources);
    change_file(folder / "r.h5", [](store::Handle const& file) {
        float value = value_of(1, 0, 5); // shard 4, its first column
        reinterpret_cast<unsigned char*>(&value)[1] ^= 4;
        store::write_rows(store::open_dataset(file, column_path(1, 0)), 5, 1, store::native_type<float>(),
                          &value);
        std::uint64_t const checksum = 1;
        store::write_rows(store::open_dataset(file, "/ledger/shard_checksum"), 2, 1,
                          store::native_type<std::uint64_t>(), &checksum);
    });
    PassSummary const summary = run(world(), folder / "r.h5", make_sources({10, 13}, second), true);
    EXPECT_EQ(summary.resumed, 5U);
    EXPECT_EQ(summary.computed, 2U);
    EXPECT_EQ(total(second.computed), 2);
    expect_all_values(folder / "r.h5", sources);
}

TEST(Pass, RefusesALedgerOfOtherShards) {
    SharedFolder const folder;
    Calls calls;
    run(world(), folder / "r.h5", make_sources({20}, calls));
    Error const error = agreed_error(world(), folder / "r.h5", make_sources({24}, calls), true);
    EXPECT_EQ(error.code(), Exit::data);
    EXPECT_NE(std::string(error.what()).find("5 shards in its ledger, the job 6"), std::string::npos);
}

TEST(Pass, DoesNotTrustShardsWithoutTheirFlag) {
    SharedFolder const folder;
    Calls first, second;
    auto const sources = make_sources({20}, first);
    run(world(), folder / "r.h5", sources);
    change_file(folder / "r.h5", [](store::Handle const& file) {
        std::uint8_t const flag = 0;
        store::write_rows(store::open_dataset(file, "/ledger/shard_done"), 3, 1,
                          store::native_type<std::uint8_t>(), &flag);
    });
    EXPECT_EQ(run(world(), folder / "r.h5", make_sources({20}, second), true).computed, 1U);
    EXPECT_EQ(total(second.computed), 1);
}

// Each computation waits until the next shard has been read, which is possible only if both go on at once
TEST(Pass, ReadsTheNextShardWhileComputing) {
    SharedFolder const folder;
    Calls calls;
    auto sources = make_sources({32}, calls); // 8 shards: two at least for each of up to 4 ranks
    std::mutex mutex;
    std::condition_variable changed;
    int read = 0, computed = 0, waited_in_vain = 0;
    int const mine = rounds(8);
    std::atomic<int> at_once{0}, most_at_once{0};
    auto const main_thread = std::this_thread::get_id();
    bool computed_on_main = true;
    int read_elsewhere = 0;
    sources[0].read = [&, good = sources[0].read](std::uint64_t begin, std::uint64_t end) {
        data::Samples samples = good(begin, end);
        std::lock_guard const lock(mutex);
        read_elsewhere += std::this_thread::get_id() != main_thread;
        ++read;
        changed.notify_all();
        return samples;
    };
    sources[0].compute = [&, good = sources[0].compute](data::Samples&& samples) {
        most_at_once = std::max(most_at_once.load(), ++at_once);
        std::unique_lock lock(mutex);
        computed_on_main = computed_on_main && std::this_thread::get_id() == main_thread;
        int const wanted = std::min(++computed + 1, mine);
        if (!changed.wait_for(lock, std::chrono::seconds(5), [&] { return read >= wanted; }))
            ++waited_in_vain;
        --at_once;
        return good(std::move(samples));
    };
    run(world(), folder / "r.h5", sources);
    EXPECT_EQ(waited_in_vain, 0);
    EXPECT_EQ(most_at_once, 1);
    EXPECT_TRUE(computed_on_main);
    EXPECT_EQ(read_elsewhere, mine - 1) << "all but the first";
    expect_all_values(folder / "r.h5", sources);
}

// Last: a request to stop cannot be taken back
TEST(PassStop, CommitsWhatIsDoneAndGoesOnFromThere) {
    SharedFolder const folder;
    Calls calls;
    auto const sources = make_sources({38}, calls); // 10 shards
    watch_for_stop();
    if (world().rank() == world().size() - 1) // one rank is asked, all stop
        std::raise(SIGUSR1);
    std::uint64_t const ranks = static_cast<std::uint64_t>(world().size()),
                        all_rounds = (10 + ranks - 1) / ranks;
    for (std::uint64_t round = 1; round < all_rounds; ++round) // asked again each time, yet a round further
        try {
            run(world(), folder / "r.h5", sources, round > 1, {kShardSize, 1000});
            ADD_FAILURE() << "round " << round << " was not stopped";
        } catch (comm::AgreedError const& error) {
            EXPECT_EQ(error.code(), Exit::stopped);
            EXPECT_NE(std::string(error.what()).find("--resume"), std::string::npos);
        }
    PassSummary const summary = run(world(), folder / "r.h5", sources, true, {kShardSize, 1000});
    EXPECT_EQ(summary.resumed, (all_rounds - 1) * ranks);
    expect_all_values(folder / "r.h5", sources);
    // Only what had been read ahead when a stop came is read twice
    EXPECT_EQ(total(calls.computed), 10);
}
