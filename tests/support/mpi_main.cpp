// GoogleTest's main for tests that also run under mpirun: root prints as usual, other ranks print failures
// only, and all return the worst rank's exit code. Without a launcher MPI is never started.
#include "world.hpp"

#include "assay/base/log.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

namespace assay::test {

namespace {

std::optional<comm::Communicator> the_world;

class FailuresOnly : public testing::EmptyTestEventListener {
  public:
    void OnTestStart(testing::TestInfo const& test) override {
        test_ = std::string(test.test_suite_name()) + "." + test.name();
    }
    void OnTestPartResult(testing::TestPartResult const& result) override {
        if (result.failed())
            std::fprintf(stderr, "[rank %d] %s: %s:%d: %s\n", world().rank(), test_.c_str(),
                         result.file_name() ? result.file_name() : "?", result.line_number(),
                         result.message());
    }

  private:
    std::string test_; // GoogleTest may not be asked for it while it reports a failure: it holds its lock
};

// No rank runs ahead into the next test while another still fails in this one
class BarrierAroundTests : public testing::EmptyTestEventListener {
  public:
    void OnTestStart(testing::TestInfo const&) override { world().barrier(); }
    void OnTestEnd(testing::TestInfo const&) override { world().barrier(); }
};

int run_tests() {
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    if (!world().is_root()) {
        delete listeners.Release(listeners.default_result_printer());
        listeners.Append(new FailuresOnly);
    }
    listeners.Append(new BarrierAroundTests);
    int code = RUN_ALL_TESTS();
    if (testing::UnitTest::GetInstance()->test_to_run_count() == 0) {
        std::fprintf(stderr, "no test was run\n");
        code = 1;
    }
    return static_cast<int>(comm::all_max(world(), code));
}

} // namespace

comm::Communicator const& world() {
    return *the_world;
}

} // namespace assay::test

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    std::unique_ptr<assay::comm::MpiScope> mpi;
    if (std::getenv("OMPI_COMM_WORLD_SIZE")) {
        mpi = std::make_unique<assay::comm::MpiScope>(argc, argv);
        assay::test::the_world.emplace(MPI_COMM_WORLD);
    } else {
        assay::test::the_world.emplace();
    }
    assay::init_log(assay::test::world().rank());
    int const code = assay::test::run_tests();
    assay::test::the_world.reset(); // before MPI is finalized
    return code;
}
