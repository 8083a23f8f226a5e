// Runs on any number of ranks (support/mpi_main.cpp)
#include "assay/comm/agree.hpp"

#include "assay/comm/collectives.hpp"
#include "support/world.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace assay::comm {
namespace {

using test::world;

struct Caught {
    Exit code = Exit::done;
    std::string message;
};

// What agree() throws on this rank; "" if nothing
template <class Work>
Caught caught(Work&& work) {
    try {
        agree(world(), work);
        return {};
    } catch (AgreedError const& error) {
        return {error.code(), error.what()};
    }
}

int last() {
    return world().size() - 1;
}

TEST(Agree, ReturnsWhatTheWorkReturns) {
    EXPECT_EQ(agree(world(), [] { return 7 + world().rank(); }), 7 + world().rank());
    EXPECT_EQ(agree(world(), [] { return std::string("text"); }), "text");
    EXPECT_EQ(agree(world(),
                    [] {
                        return std::vector<int>{1, 2, world().rank()};
                    }),
              (std::vector<int>{1, 2, world().rank()}));
    EXPECT_EQ(*agree(world(), [] { return std::make_unique<int>(world().rank()); }), world().rank());
    bool ran = false;
    agree(world(), [&] { ran = true; });
    EXPECT_TRUE(ran);
}

TEST(Agree, AnErrorOfOneRankIsThrownOnAll) {
    for (int failing = 0; failing <= last(); ++failing) {
        Caught const error = caught([&] {
            if (world().rank() == failing)
                fail(Exit::data, "sample {} is bad", 40 + failing);
        });
        EXPECT_EQ(error.code, Exit::data);
        EXPECT_EQ(error.message, "sample " + std::to_string(40 + failing) + " is bad");
    }
}

TEST(Agree, ThrowsWhereTheWorkReturnsAValueToo) {
    Caught const error = caught([]() -> std::string {
        if (world().rank() == last())
            fail(Exit::io, "disk full");
        return "value";
    });
    EXPECT_EQ(error.code, Exit::io);
    EXPECT_EQ(error.message, "disk full");
}

TEST(Agree, TheLowestFailingRankSpeaks) {
    // All but root fail, each with its own message and code; on one rank that is the one rank
    int const first = world().size() == 1 ? 0 : 1;
    Caught const error = caught([&] {
        if (world().rank() >= first)
            throw Error(world().rank() == first ? Exit::usage : Exit::stopped,
                        std::string(static_cast<std::size_t>(world().rank() + 1), 'x'));
    });
    EXPECT_EQ(error.code, Exit::usage);
    EXPECT_EQ(error.message, std::string(static_cast<std::size_t>(first + 1), 'x'));
}

TEST(Agree, EveryExitCodeArrives) {
    for (Exit code : {Exit::usage, Exit::data, Exit::internal, Exit::io, Exit::stopped})
        EXPECT_EQ(caught([&] {
                      if (world().rank() == last())
                          throw Error(code, "");
                  }).code,
                  code);
}

TEST(Agree, OtherExceptionsBecomeInternalErrors) {
    Caught const plain = caught([] {
        if (world().rank() == last())
            throw std::runtime_error("from a library");
    });
    EXPECT_EQ(plain.code, Exit::internal);
    EXPECT_EQ(plain.message, "from a library");
    Caught const memory = caught([] {
        if (world().rank() == last())
            throw std::bad_alloc();
    });
    EXPECT_EQ(memory.code, Exit::internal);
    EXPECT_NE(memory.message.find("out of memory"), std::string::npos) << memory.message;
}

TEST(Agree, RanksAreInStepAfterAnError) {
    caught([] {
        if (world().rank() == last())
            fail(Exit::data, "bad");
    });
    EXPECT_EQ(all_sum(world(), 1), world().size());
    EXPECT_EQ(agree(world(), [] { return 5; }), 5);
}

TEST(Agree, LongMessagesArriveWhole) {
    std::string const message(100000, 'm');
    EXPECT_EQ(caught([&] {
                  if (world().rank() == last())
                      throw Error(Exit::data, message);
              }).message,
              message);
}

TEST(ThrowTogether, DoesNothingWithoutAProblem) {
    EXPECT_NO_THROW(throw_together(world(), std::nullopt));
    EXPECT_THROW(throw_together(world(), Error(Exit::data, "all of us")), AgreedError);
}

} // namespace
} // namespace assay::comm
