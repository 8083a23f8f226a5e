#include "assay/job/sweep.hpp"

#include "assay/base/error.hpp"
#include "assay/job/job_file.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

namespace assay::job {
namespace {

std::string const kJob = "[dataset]\nsuspects = 's.h5'\n[model]\nfile = 'm.pt'\n";
std::string const kGrid = kJob + "[sweep]\nranks_per_cell = 2\n[sweep.grid]\n"
                                 "\"usage.confidence\" = [0.9, 0.95, 0.99]\n"
                                 "\"job.seed\" = [7, 3]\n"; // not in byte order: the file's order counts

void expect_refused(std::function<void()> const& action, std::vector<std::string> const& parts) {
    try {
        action();
        ADD_FAILURE() << "not refused: " << parts.front();
    } catch (Error const& error) {
        std::string const message = error.what();
        EXPECT_EQ(error.code(), Exit::usage) << message;
        EXPECT_EQ(message.find('\n'), std::string::npos) << message;
        for (std::string const& part : parts)
            EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' is not in: " << message;
    }
}

// A grid, written as the body of [sweep.grid], is refused
void expect_grid_refused(std::string const& grid, std::vector<std::string> const& parts) {
    expect_refused([&] { parse_sweep(kJob + "[sweep.grid]\n" + grid, "job.toml"); }, parts);
}

TEST(Sweep, FirstKeyIsSlowest) {
    Sweep const sweep = parse_sweep(kGrid, "job.toml");
    EXPECT_EQ(sweep.ranks_per_cell, 2);
    ASSERT_EQ(sweep.axes.size(), 2U);
    EXPECT_EQ(sweep.axes[0].key, "usage.confidence");
    EXPECT_EQ(sweep.axes[1].key, "job.seed");
    std::vector<std::pair<double, std::int64_t>> found;
    for (Job const& job : sweep.cells)
        found.emplace_back(job.usage.confidence, job.job.seed);
    EXPECT_EQ(found, (std::vector<std::pair<double, std::int64_t>>{
                         {0.9, 7}, {0.9, 3}, {0.95, 7}, {0.95, 3}, {0.99, 7}, {0.99, 3}}));
}

// A cell is what `assay run` makes of the same job without [sweep] and the cell's overrides
TEST(Sweep, CellsAreTheJobWithOverrides) {
    std::string const grid = kJob + "[sweep.grid]\n\"usage.signals\" = [['loss'], ['loss', \"margin\"]]\n"
                                    "\"dataset.held_out\" = ['', \"with \\\"quotes\\\" and = and \\n.h5\"]\n"
                                    "\"usage.confidence\" = [0.1e1, 0.7000000000000001]\n";
    expect_refused([&] { parse_sweep(grid, "job.toml"); }, {"usage.confidence=1 "}); // 1 is out of bounds
    std::string const set = "sweep.grid.usage.confidence=[0.5, 0.7000000000000001]";
    Sweep const sweep = parse_sweep(grid, "job.toml", {"job.seed=5", set});
    ASSERT_EQ(sweep.cells.size(), 8U);
    for (std::size_t cell = 0; cell < sweep.cells.size(); ++cell) {
        std::vector<std::string> overrides = sweep.overrides(cell);
        overrides.push_back("job.seed=5");
        EXPECT_EQ(dump(sweep.cells[cell]), dump(parse(kJob, "job.toml", overrides)));
    }
    EXPECT_EQ(sweep.cells[7].usage.signals, (std::vector<std::string>{"loss", "margin"}));
    EXPECT_EQ(sweep.cells[7].dataset.held_out, "with \"quotes\" and = and \n.h5");
    EXPECT_EQ(sweep.cells[7].usage.confidence, 0.7000000000000001);
    EXPECT_EQ(sweep.value(7, 2), "0.7000000000000001");
}

TEST(Sweep, OneRankPerCellUnlessTold) {
    EXPECT_EQ(parse_sweep(kJob + "[sweep.grid]\n\"job.seed\" = [1]\n", "").ranks_per_cell, 1);
    EXPECT_EQ(parse_sweep(kGrid, "", {"sweep.ranks_per_cell=4"}).ranks_per_cell, 4);
    for (std::string const wrong : {"0", "-1", "1.5", "'two'", "[1]"})
        expect_refused([&] { parse_sweep(kGrid, "", {"sweep.ranks_per_cell=" + wrong}); },
                       {"sweep.ranks_per_cell=", "whole number"});
}

TEST(Sweep, SetReplacesAnAxisInItsPlaceOrAddsOne) {
    Sweep const sweep =
        parse_sweep(kGrid, "", {"sweep.grid.usage.confidence=[0.8]", "sweep.grid.compute.batch_size=[1, 2]"});
    EXPECT_EQ(sweep.axes[0].values, std::vector<std::string>{"0.8"});
    EXPECT_EQ(sweep.axes[2].key, "compute.batch_size");
    EXPECT_EQ(sweep.cells.size(), 4U);
    EXPECT_EQ(parse_sweep(kJob, "", {"sweep.grid.job.seed=[1, 2]"}).cells.size(), 2U);
}

TEST(Sweep, WrongGridsAreRefused) {
    expect_grid_refused("", {"job.toml: no keys in [sweep.grid]", "assay run"});
    expect_refused([&] { parse_sweep(kJob, "job.toml"); }, {"job.toml: no keys in [sweep.grid]"});
    expect_grid_refused("\"job.seed\" = []\n", {"sweep.grid.\"job.seed\"=[]", "array"});
    expect_grid_refused("\"job.seed\" = 3\n", {"sweep.grid.\"job.seed\"=3", "array"});
    expect_grid_refused("job.seed = [3]\n", {"sweep.grid.job", "Quote"});
    expect_grid_refused("seed = [3]\n", {"sweep.grid.seed", "section.key"});
    expect_grid_refused("\"job.seeds\" = [3]\n", {"cell 0 (job.seeds=3)", "unknown key job.seeds"});
    expect_grid_refused("\"compute.threads\" = [1, 2]\n", {"compute.threads", "same for all cells"});
    expect_grid_refused("\"job.name\" = ['a', 'b']\n", {"job.name", "same for all cells"});
    expect_grid_refused("\"output.directory\" = ['a', 'b']\n", {"output.directory", "folders of their own"});
    expect_grid_refused("\"usage.fit_samples\" = [1000]\n\"job.seed\" = [1, 2, 1]\n",
                        {"cells 0 and 2", "usage.fit_samples=1000, job.seed=1"});
    std::string many;
    for (int i = 0; i < 400; ++i)
        many += fmt::format("{}, ", i + 1);
    expect_grid_refused("\"job.seed\" = [" + many + "]\n\"compute.batch_size\" = [" + many + "]\n",
                        {"more than 100000 cells"});
}

// Of the last cell, too: nothing may run before all is known to be well
TEST(Sweep, WrongValuesOfAnyCellAreRefused) {
    expect_grid_refused("\"job.seed\" = [1, 2, 'x']\n", {"cell 2 (job.seed='x')", "a whole number"});
    expect_grid_refused("\"usage.confidence\" = [0.9, 7]\n", {"cell 1 ", "usage.confidence=7", "[0.5,"});
    expect_grid_refused("\"job.seed\" = [1, 2]\n\"usage.reference\" = ['partners', 'held_out']\n",
                        {"cell 1 (job.seed=1, usage.reference='held_out')", "dataset.held_out"});
}

TEST(Sweep, WrongSectionsAreRefused) {
    expect_refused([&] { parse_sweep("sweep = 3\n", ""); }, {"sweep=3"});
    expect_refused([&] { parse_sweep(kGrid + "[sweep.grids]\n", ""); }, {"unknown key sweep.grids"});
    expect_refused([&] { parse_sweep("[sweep]\nranks = 3\n", ""); }, {"unknown key sweep.ranks "});
    expect_refused([&] { parse_sweep("[sweep]\ngrid = [1]\n", ""); }, {"unknown key sweep.grid "});
    expect_refused([&] { parse_sweep(kGrid, "", {"sweep.rank=3"}); }, {"--set sweep.rank=3"});
    expect_refused([&] { parse_sweep("[sweep.grid\n", "job.toml"); }, {"job.toml:1: "});
}

TEST(Sweep, AKeyOfTheGridIsNotSetBesides) {
    expect_refused([&] { parse_sweep(kGrid, "", {"job.seed=5"}); },
                   {"--set job.seed=5", "--set sweep.grid.job.seed="});
}

// Those of jobs/, paper-scale ones included: only their data may be missing
TEST(JobFiles, AreFine) {
    std::size_t seen = 0;
    for (auto const& entry : std::filesystem::recursive_directory_iterator(ASSAY_JOBS)) {
        if (entry.path().extension() != ".toml")
            continue;
        ++seen;
        std::ifstream file(entry.path());
        std::string const text{std::istreambuf_iterator<char>(file), {}};
        EXPECT_NO_THROW(text.find("[sweep") == std::string::npos
                            ? check(read(entry.path()))
                            : static_cast<void>(read_sweep(entry.path())))
            << entry.path();
    }
    EXPECT_GE(seen, 15U);
}

TEST(Sweep, AJobOfItsOwnHasNone) {
    expect_refused([&] { parse(kGrid, "job.toml"); }, {"job.toml: has a section [sweep]", "assay sweep"});
    expect_refused([&] { parse(kJob, "job.toml", {"sweep.ranks_per_cell=2"}); }, {"assay sweep"});
}

} // namespace
} // namespace assay::job
