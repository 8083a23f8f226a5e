#include "assay/report/sweep.hpp"

#include "assay/base/error.hpp"
#include "assay/store/hdf5.hpp"
#include "data/fixtures.hpp"

#include <cmath>

using namespace assay;
using namespace assay::report;
using namespace assay::data::test;

namespace {

job::Sweep sweep_of(std::string const& kind, std::string const& section, std::string const& grid) {
    return job::parse_sweep(
        "[job]\nkind = '" + kind + "'\nname = 's'\n" + section + "\n[sweep.grid]\n" + grid, "");
}

std::string const kUsage = "[dataset]\nsuspects = 's.h5'\n[model]\nfile = 'm.pt'";
std::string const kGenerate =
    "[dataset]\ntraining = 't.h5'\n[generator]\nnetwork = 'vae'\n[generate]\nscore = 'g.h5'";

// Two seeds at two confidences: what four usage jobs found, and their truth
struct Found {
    std::string status;
    double fraction, low, high, bound, unreported, truth;
};
double const kNone = std::nan("");
std::vector<Found> const kFound{{"estimated", 0.5, 0.25, 0.75, 0.25, 0.5, 0.375},
                                {"estimated", 0.25, 0.125, 0.25, 0.5, 0.25, 0.5},
                                {"no evidence", kNone, kNone, kNone, 0, 0.125, 0},
                                {"unidentified", kNone, kNone, kNone, 0.25, 0.75, 0.5}};

SweepTable table_of(std::vector<Found> const& found) {
    SweepTable table;
    for (Found const& cell : found) {
        table.complete.push_back(1);
        table.texts["/metrics/usage/status"].push_back(cell.status);
        for (auto const& [name, value] : {std::pair{"/metrics/usage/fraction", cell.fraction},
                                          {"/metrics/usage/interval_low", cell.low},
                                          {"/metrics/usage/interval_high", cell.high},
                                          {"/metrics/usage/lower_bound", cell.bound},
                                          {"/metrics/usage/unreported_fraction", cell.unreported},
                                          {"/truth/fraction", cell.truth},
                                          {"/truth/member_auc", 0.75}})
            table.numbers[name].push_back(value);
    }
    return table;
}

job::Sweep const kGrid =
    sweep_of("usage", kUsage, "\"usage.confidence\" = [0.9, 0.95]\n\"job.seed\" = [1, 2]\n");

template <class T>
void write(store::Handle const& file, std::string const& path, store::Shape const& shape,
           std::vector<T> const& values) {
    store::Handle const column = store::create_dataset(file, path, store::native_type<T>(), shape);
    store::write_rows(column, 0, shape.front(), store::native_type<T>(), values.data());
}

template <class T>
std::vector<T> read(fs::path const& path, std::string const& name) {
    return store::read_all<T>(store::open_dataset(store::open_to_read(path), name));
}

class SweepFiles : public testing::Test {
  protected:
    fs::path results(std::size_t cell) const {
        fs::create_directories(folder_ / cell_name(cell));
        return folder_ / cell_name(cell) / "results.h5";
    }
    // What a job of kind "generate" leaves
    void write_retraining(std::size_t cell, std::vector<std::uint64_t> const& ids,
                          std::vector<std::uint8_t> const& used, std::vector<std::uint64_t> const& scored,
                          std::vector<float> const& losses) const {
        store::Handle const file = store::create_file(results(cell));
        write(file, "/training/id", {ids.size()}, ids);
        write(file, "/training/used", {used.size()}, used);
        write(file, "/scored/id", {scored.size()}, scored);
        write(file, "/scored/loss", {losses.size()}, losses);
    }
    TempDir scratch_;
    fs::path const folder_ = scratch_ / "";
    job::Sweep const retrained_ = sweep_of("generate", kGenerate, "\"dataset.subset\" = [0, 1]\n");
};

} // namespace

TEST(SweepTable, ARowPerCell) {
    std::string const text = sweep_table(kGrid, table_of(kFound));
    for (char const* line : {
             "| cell | usage.confidence | job.seed | status | fraction | interval | lower bound | true "
             "fraction | "
             "AUC of members |\n",
             "| cell-0000 | 0.9 | 1 | estimated | 0.500 | [0.250, 0.750] | 0.250 | 0.375 | 0.750 |\n",
             "| cell-0002 | 0.95 | 1 | no evidence | - | - | 0.000 | 0.000 | 0.750 |\n",
         })
        EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

// By hand: errors 0.125 and -0.25, then 0 ("no evidence" says 0) and none (a refusal says nothing)
TEST(SweepTable, ErrorsAndCoveragePerValueOfTheSlowestAxis) {
    std::string const text = sweep_table(kGrid, table_of(kFound));
    for (char const* line : {
             "| 0.9 | 2 | 0.750 | 2 estimated | 0.375 | 0.188 | -0.062 | 0.265 | 1/2 | 0.312 | 0.375 / 0.500 "
             "| "
             "2/2 | 0.188 |\n",
             "| 0.95 | 2 | 0.750 | 1 no evidence, 1 unidentified | 0.000 | 0.000 | +0.000 | - | - | - | "
             "0.125 / "
             "0.250 | 2/2 | 0.188 |\n",
             "| all | 4 | 0.750 | 2 estimated, 1 no evidence, 1 unidentified | 0.250 | 0.125 | -0.042 | "
             "0.191 | "
             "1/2 | 0.312 | 0.250 / 0.500 | 4/4 | 0.188 |\n",
         })
        EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

TEST(SweepTable, WithoutTruthThereAreNoErrors) {
    SweepTable table = table_of(kFound);
    table.numbers.erase("/truth/fraction");
    std::string const text = sweep_table(kGrid, table);
    EXPECT_EQ(text.find("MAE"), std::string::npos) << text;
    EXPECT_NE(text.find("| cell-0000 | 0.9 | 1 | estimated | 0.500 | [0.250, 0.750] | 0.250 | - | 0.750 |"),
              std::string::npos)
        << text;
}

TEST(SweepTable, CellsThatAreNotCompleteAreLeftOut) {
    SweepTable table = table_of(kFound);
    table.complete[1] = 0;
    for (auto& [path, values] : table.numbers)
        values[1] = kNone;
    std::string const text = sweep_table(kGrid, table);
    EXPECT_EQ(text.find("cell-0001"), std::string::npos) << text;
    EXPECT_NE(text.find("| 0.9 | 1 |"), std::string::npos) << text;
}

TEST_F(SweepFiles, EveryScalarOfTheCellsMetrics) {
    job::Sweep const sweep = sweep_of("generate", kGenerate, "\"job.seed\" = [1, 2, 3]\n");
    for (std::size_t cell : {0, 2}) {
        store::Handle const file = store::create_file(results(cell));
        store::create_group(file, "/metrics/a/deeper");
        store::write_number(file, "/metrics/a", "number", 0.5 + static_cast<double>(cell));
        store::write_number(file, "/metrics/a/deeper", "count", std::int64_t{7});
        store::write_string(file, "/metrics/a", "word", cell ? "longer" : "w", 256);
        if (cell)
            store::write_number(file, "/metrics/a", "only_there", 1.0);
        write<double>(file, "/metrics/a/curve", {2}, {1, 2});
        store::write_number(file, "/metrics/a/curve", "of_a_curve", 3.0);
    }
    SweepTable const table = read_cells(folder_, sweep, {1, 0, 1});
    std::vector<std::string> names;
    for (auto const& [path, values] : table.numbers)
        names.push_back(path);
    EXPECT_EQ(names, (std::vector<std::string>{"/metrics/a/deeper/count", "/metrics/a/number",
                                               "/metrics/a/only_there"}));
    EXPECT_EQ(table.number("/metrics/a/number", 2), 2.5);
    EXPECT_TRUE(std::isnan(table.number("/metrics/a/number", 1)));
    EXPECT_TRUE(std::isnan(table.number("/metrics/a/only_there", 0)));
    EXPECT_EQ(table.text("/metrics/a/word", 0), "w");

    write_sweep(folder_, sweep, table);
    fs::path const path = folder_ / "sweep.h5";
    EXPECT_EQ(read<std::uint8_t>(path, "/cells/complete"), (std::vector<std::uint8_t>{1, 0, 1}));
    EXPECT_EQ(read<std::int64_t>(path, "/axes/job.seed"), (std::vector<std::int64_t>{1, 2, 3}));
    std::vector<double> const counts = read<double>(path, "/metrics/a/deeper/count");
    EXPECT_EQ(counts[0], 7);
    EXPECT_TRUE(std::isnan(counts[1]));
    EXPECT_FALSE(fs::exists(folder_ / "sweep.h5.new"));
}

TEST_F(SweepFiles, ADamagedCellIsNamed) {
    std::ofstream(results(0)) << "no HDF5";
    try {
        read_cells(folder_, retrained_, {1, 0});
        FAIL();
    } catch (Error const& error) {
        EXPECT_EQ(error.code(), Exit::data);
        EXPECT_NE(std::string(error.what()).find("cell-0000/results.h5"), std::string::npos) << error.what();
    }
}

TEST_F(SweepFiles, RetrainingOutputs) {
    write_retraining(0, {3, 5, 9}, {1, 0, 1}, {0, 1}, {0.5, 2});
    write_retraining(1, {3, 5, 9}, {0, 1, 1}, {0, 1}, {-1, 0.25});
    ASSERT_TRUE(write_lds(folder_, retrained_));
    fs::path const path = folder_ / "lds.h5";
    EXPECT_EQ(read<std::uint8_t>(path, "/masks"), (std::vector<std::uint8_t>{1, 0, 1, 0, 1, 1}));
    EXPECT_EQ(read<double>(path, "/outputs"), (std::vector<double>{-0.5, -2, 1, -0.25})); // larger is better
    EXPECT_EQ(read<std::uint64_t>(path, "/ids"), (std::vector<std::uint64_t>{3, 5, 9}));
    EXPECT_EQ(read<std::uint64_t>(path, "/generated_ids"), (std::vector<std::uint64_t>{0, 1}));
    store::Handle const file = store::open_to_read(path);
    EXPECT_EQ(store::shape_of(store::open_dataset(file, "/masks")), (store::Shape{2, 3}));
    EXPECT_EQ(store::shape_of(store::open_dataset(file, "/outputs")), (store::Shape{2, 2}));
    EXPECT_EQ(store::type_name(store::open_dataset(file, "/outputs")), "float64");
}

TEST_F(SweepFiles, RetrainingOfOtherSamplesMakesNone) {
    write_retraining(0, {3, 5, 9}, {1, 0, 1}, {0, 1}, {0.5, 2});
    write_retraining(1, {3, 5, 8}, {0, 1, 1}, {0, 1}, {-1, 0.25});
    EXPECT_FALSE(write_lds(folder_, retrained_));
    write_retraining(1, {3, 5, 9}, {0, 1, 1}, {1, 0}, {-1, 0.25});
    EXPECT_FALSE(write_lds(folder_, retrained_));
    EXPECT_FALSE(fs::exists(folder_ / "lds.h5"));
}

TEST_F(SweepFiles, RetrainingThatDoesNotFitIsRefused) {
    write_retraining(0, {3, 5, 9}, {1, 0}, {0, 1}, {0.5, 2});
    write_retraining(1, {3, 5, 9}, {1, 0, 1}, {0, 1}, {0.5, 2});
    EXPECT_THROW(write_lds(folder_, retrained_), Error);
}
