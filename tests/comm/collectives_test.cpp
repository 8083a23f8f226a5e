// Runs on any number of ranks (support/mpi_main.cpp)
#include "assay/comm/collectives.hpp"

#include "assay/base/error.hpp"
#include "assay/comm/message.hpp"
#include "assay/job/job_file.hpp"
#include "support/world.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace assay::comm {
namespace {

using test::world;

std::int64_t rank() {
    return world().rank();
}
std::int64_t size() {
    return world().size();
}

TEST(Communicator, DefaultIsSerial) {
    Communicator const serial;
    EXPECT_EQ(serial.rank(), 0);
    EXPECT_EQ(serial.size(), 1);
    EXPECT_TRUE(serial.is_root());
    EXPECT_TRUE(serial.is_serial());
    EXPECT_EQ(serial.mpi(), MPI_COMM_NULL);
    serial.barrier();
}

TEST(Communicator, ADryRunPlaysOneRankAndCounts) {
    Communicator const played = Communicator::dry_run(7, 1000);
    EXPECT_EQ(played.rank(), 7);
    EXPECT_EQ(played.size(), 1000);
    EXPECT_FALSE(played.is_root());
    Communicator const copy = played;
    EXPECT_EQ(all_sum(copy, 5), 5);
    EXPECT_EQ(broadcast(copy, std::string("abc")), "abc");
    EXPECT_EQ(all_gather<std::int64_t>(copy, std::array<std::int64_t, 2>{1, 2}),
              (std::vector<std::int64_t>{1, 2}));
    EXPECT_EQ(played.traffic().calls, 4U);                           // the string's length goes first
    EXPECT_EQ(played.traffic().bytes, 8U + 8 + 3 + 1000 * (8 + 16)); // everyone's length and values
}

TEST(Collectives, SumPlaceByPlace) {
    EXPECT_EQ(all_sum(world(), std::vector<std::int64_t>{rank(), 1, -rank()}),
              (std::vector<std::int64_t>{size() * (size() - 1) / 2, size(), -size() * (size() - 1) / 2}));
}

TEST(Collectives, AllToAllDeliversEachPieceToItsRank) {
    std::vector<std::vector<std::uint64_t>> outgoing(static_cast<std::size_t>(size()));
    std::vector<std::uint64_t> expected;
    for (std::int64_t r = 0; r < size(); ++r) {
        // Rank s sends s items to rank 0, s + 1 to rank 1, ...: also none
        outgoing[static_cast<std::size_t>(r)].assign(static_cast<std::size_t>(rank() + r),
                                                     static_cast<std::uint64_t>(100 * rank() + r));
        expected.insert(expected.end(), static_cast<std::size_t>(r + rank()),
                        static_cast<std::uint64_t>(100 * r + rank()));
    }
    EXPECT_EQ(all_to_all(world(), outgoing), expected);
}

TEST(Communicator, RanksAreDistinctAndRootIsZero) {
    EXPECT_EQ(all_gather<std::int64_t>(world(), std::array{rank()}).size(), static_cast<std::size_t>(size()));
    EXPECT_EQ(all_sum(world(), rank()), size() * (size() - 1) / 2);
    EXPECT_EQ(world().is_root(), rank() == 0);
    EXPECT_EQ(all_sum(world(), world().is_root()), 1);
}

TEST(Communicator, CopiesShareTheMpiHandleAndDuplicatesDoNot) {
    Communicator const copy = world();
    EXPECT_EQ(copy.mpi(), world().mpi());
    if (world().is_serial())
        return;
    Communicator const duplicate(world().mpi());
    EXPECT_NE(duplicate.mpi(), world().mpi());
    EXPECT_EQ(duplicate.rank(), world().rank());
    EXPECT_EQ(all_sum(duplicate, 1), size());
}

TEST(CheckMpi, NamesTheCallAndTheReason) {
    EXPECT_NO_THROW(check_mpi(MPI_SUCCESS, "MPI_Bcast"));
    if (world().is_serial())
        GTEST_SKIP() << "MPI explains its errors only once it is initialised";
    try {
        check_mpi(MPI_ERR_COUNT, "MPI_Bcast");
        ADD_FAILURE();
    } catch (Error const& error) {
        EXPECT_EQ(error.code(), Exit::internal);
        EXPECT_NE(std::string(error.what()).find("MPI_Bcast failed (MPI_ERR_COUNT"), std::string::npos)
            << error.what();
    }
}

TEST(Broadcast, RootsValueReachesAll) {
    EXPECT_EQ(broadcast(world(), 100 + rank()), 100);
    EXPECT_EQ(broadcast(world(), std::int64_t{-1} << 62), std::int64_t{-1} << 62);
    // The ranks' own strings have other lengths, and bytes that end a C string
    EXPECT_EQ(broadcast(world(), std::string(static_cast<std::size_t>(3 + rank()), 'x')), "xxx");
    EXPECT_EQ(broadcast(world(), rank() == 0 ? std::string("a\0b", 3) : "mine"), std::string("a\0b", 3));
    EXPECT_EQ(broadcast(world(), rank() == 0 ? std::string() : "mine"), "");
}

TEST(Broadcast, BytesAreOverwrittenInPlace) {
    std::vector<double> values(1000, static_cast<double>(rank()));
    if (world().is_root())
        std::iota(values.begin(), values.end(), 0.5);
    broadcast_bytes(world(), values.data(), values.size() * sizeof(double));
    std::vector<double> expected(1000);
    std::iota(expected.begin(), expected.end(), 0.5);
    EXPECT_EQ(values, expected);
    broadcast_bytes(world(), nullptr, 0);
}

TEST(Reductions, SumMinMax) {
    std::int64_t const mine = 10 * rank() - 7; // -7, 3, 13, ...
    EXPECT_EQ(all_sum(world(), mine), 10 * size() * (size() - 1) / 2 - 7 * size());
    EXPECT_EQ(all_min(world(), mine), -7);
    EXPECT_EQ(all_max(world(), mine), 10 * (size() - 1) - 7);
    std::int64_t const large = std::int64_t{1} << 53; // a double would lose the 1
    EXPECT_EQ(all_max(world(), large + 1), large + 1);
}

TEST(AllGather, ConcatenatesInRankOrder) {
    std::vector<std::int64_t> const all = all_gather<std::int64_t>(world(), std::array{rank() * rank()});
    ASSERT_EQ(all.size(), static_cast<std::size_t>(size()));
    for (std::size_t r = 0; r < all.size(); ++r)
        EXPECT_EQ(all[r], static_cast<std::int64_t>(r * r));
}

TEST(AllGather, LengthsMayDifferAndBeZero) {
    std::vector<float> const mine(static_cast<std::size_t>(rank()), static_cast<float>(rank()));
    std::vector<float> expected;
    for (std::int64_t r = 0; r < size(); ++r)
        expected.insert(expected.end(), static_cast<std::size_t>(r), static_cast<float>(r));
    EXPECT_EQ(all_gather<float>(world(), mine), expected);
    EXPECT_TRUE(all_gather<float>(world(), {}).empty());
}

TEST(BroadcastObject, AWholeJobTravels) {
    job::Job job;
    if (world().is_root())
        job = job::parse("[job]\nname = 'from root'\nseed = 5\n[dataset]\nmean = [0.1, 0.2]\n[model.train]\n"
                         "epochs = 3\n[usage]\nsignals = ['loss']\n",
                         "job.toml");
    broadcast_object(world(), job);
    EXPECT_EQ(job.job.name, "from root");
    EXPECT_EQ(job.dataset.mean, (std::vector<double>{0.1, 0.2}));
    EXPECT_EQ(job.train.epochs, 3);
    EXPECT_EQ(job.usage.signals, std::vector<std::string>{"loss"});
    std::string const hash = job::hash(job);
    EXPECT_EQ(hash, broadcast(world(), hash));
}

// All keys, not those above only: the receiver starts from other values than the sender's everywhere
TEST(BroadcastObject, EveryKeyOfAJobTravels) {
    job::Job job;
    if (!world().is_root() || world().size() == 1)
        job.sections([](char const*, auto& section) {
            section.fields([](char const*, auto& value, auto const&...) {
                if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>>)
                    value += 1;
                else
                    value = {};
            });
        });
    std::string const sent = job::dump(world().size() == 1 ? job : job::Job{});
    broadcast_object(world(), job);
    EXPECT_EQ(job::dump(job), sent);
}

} // namespace

TEST(Message, DecodesWhatWasEncoded) {
    std::vector<std::vector<double>> const value{{0.1, 0.2}, {}, {-3}};
    EXPECT_EQ(decode<std::vector<std::vector<double>>>(encode(value)), value);
}

TEST(Message, NoBitMayChange) {
    std::string const sent = encode(std::vector<std::string>{"loss", "margin"});
    for (std::size_t bit = 0; bit < 8 * sent.size(); ++bit) {
        std::string damaged = sent;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
        EXPECT_THROW(decode<std::vector<std::string>>(damaged), Error) << bit;
    }
    EXPECT_THROW(decode<std::vector<std::string>>(sent.substr(0, sent.size() - 1)), Error);
    EXPECT_THROW(decode<std::vector<std::string>>(""), Error);
}

// A digest that fits does not make lengths true: nothing is allocated for them
TEST(Message, LengthsThatCannotBeAreRefused) {
    for (std::uint64_t const length : {std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
        std::string const bytes = seal({reinterpret_cast<char const*>(&length), sizeof length});
        EXPECT_THROW(decode<std::string>(bytes), Error);
        EXPECT_THROW(decode<std::vector<double>>(bytes), Error);
        EXPECT_THROW(decode<std::vector<std::string>>(bytes), Error);
    }
    EXPECT_THROW(decode<std::int64_t>(seal(std::string(9, '\0'))), Error) << "a byte too many";
}

} // namespace assay::comm
