#include "assay/valuation/columns.hpp"

#include "data/fixtures.hpp"
#include "valuation/fixtures.hpp"

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

using namespace assay;
using namespace assay::valuation;
using namespace assay::valuation::test;
using assay::data::test::error_of;
using assay::data::test::expect_in;
using assay::data::test::TempDir;
namespace fs = std::filesystem;

namespace {

using Labels = std::vector<std::int64_t>;

constexpr std::size_t kRows = 12, kQueries = 7;

Neighbours example_lists(std::int64_t k = 5) {
    return naive_lists(random_points(1, kRows), random_points(2, kQueries), k);
}

// The least that a user writes; `change` may spoil or add
fs::path write(fs::path const& path, std::function<void(store::Handle const&)> const& more = {},
               Neighbours const& lists = example_lists()) {
    store::Handle const file = store::create_file(path);
    write_column(file, "/samples/id", ids_of(kRows));
    write_column(file, "/generated/id", ids_of(kQueries, 5));
    write_lists(file, "/neighbours", lists);
    if (more)
        more(file);
    return path;
}

void replace(store::Handle const& file, char const* path) {
    H5Ldelete(file.id(), path, H5P_DEFAULT);
}

// What reading and walking through all lists says
std::string problem(fs::path const& path) {
    return error_of(Exit::data, [&] {
        ValuationInput const input = read_columns(path);
        for (auto const& lists :
             {std::optional(input.neighbours), input.pixels, input.to_held_out, input.held_out_to_training})
            if (lists)
                for_each_list(*lists, [](auto...) {});
    });
}

std::vector<std::uint8_t> const kAttributes(kRows * 2, 1);

} // namespace

TEST(ReadColumns, TakesTheLeast) {
    TempDir const dir;
    ValuationInput const input = read_columns(write(dir / "a.h5"));
    EXPECT_EQ(input.ids, ids_of(kRows));
    EXPECT_EQ(input.generated_ids, ids_of(kQueries, 5));
    EXPECT_EQ(input.neighbours.queries, kQueries);
    EXPECT_EQ(input.neighbours.k, 5);
    EXPECT_EQ(input.neighbours.read(0, kQueries).rows, example_lists().rows);
    EXPECT_EQ(input.neighbours.read(2, 3).distances[0], example_lists().distances[10]);
    EXPECT_TRUE(input.labels.empty() && input.groups.empty() && input.quality.empty() && !input.pixels);
    EXPECT_EQ(input.attributes, 0u);
}

TEST(ReadColumns, TakesAllThereIs) {
    TempDir const dir;
    Labels const labels{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, -1}, groups(kRows, -70),
        generated_labels(kQueries, 1);
    Neighbours const first_lists = naive_lists(random_points(1, kRows), random_points(2, 2), 5);
    ValuationInput const input = read_columns(write(dir / "a.h5", [&](store::Handle const& file) {
        write_column(file, "/samples/label", labels);
        write_column(file, "/samples/group", groups);
        write_column(file, "/samples/attribute", kAttributes, {kRows, 2});
        write_column(file, "/generated/label", generated_labels);
        write_column(file, "/generated/quality", std::vector<float>(kQueries, 0.5f));
        write_column(file, "/generated/attribute", std::vector<std::uint8_t>(kQueries * 2, 1), {kQueries, 2});
        write_lists(file, "/pixel_neighbours", example_lists(3));
        write_lists(file, "/held_out_neighbours",
                    naive_lists(random_points(4, 30), random_points(2, kQueries), 1));
        write_lists(file, "/held_out_to_training",
                    naive_lists(random_points(1, kRows), random_points(4, 30), 1));
        write_lists(file, "/generated_neighbours",
                    naive_lists(random_points(2, kQueries), random_points(1, kRows), 2));
        for (std::string const group : {"/exact_neighbours", "/doubled_neighbours"}) {
            write_lists(file, group, first_lists);
            write_column(file, group + "/query", Labels{0, 1});
        }
        write_column(file, "/truth/ood", std::vector<std::uint8_t>(kRows, 7)); // must not be looked at
    }));
    EXPECT_EQ(input.labels, labels);
    EXPECT_EQ(input.groups, groups);
    EXPECT_EQ(input.generated_labels, generated_labels);
    EXPECT_EQ(input.quality, std::vector<float>(kQueries, 0.5f));
    EXPECT_EQ(input.attributes, 2u);
    EXPECT_EQ(input.attribute, kAttributes);
    EXPECT_EQ(input.pixels->k, 3);
    EXPECT_EQ(input.to_held_out->queries, kQueries);
    EXPECT_EQ(input.held_out_to_training->queries, 30u);
    EXPECT_EQ(input.to_generated->queries, kRows);
    EXPECT_EQ(input.exact->queries, (std::vector<std::uint64_t>{0, 1}));
    EXPECT_EQ(input.doubled->lists.read(0, 2).rows, first_lists.rows);
    EXPECT_NO_THROW(value(input, {.k = 5}));
}

TEST(ReadColumns, ListsThatCheckOthersMustBeLikeThem) {
    TempDir const dir;
    auto const with = [&](Labels const& queries, std::int64_t k) {
        return problem(write(dir / "a.h5", [&](store::Handle const& file) {
            write_lists(file, "/exact_neighbours",
                        naive_lists(random_points(1, kRows), random_points(2, 2), k));
            write_column(file, "/exact_neighbours/query", queries);
        }));
    };
    expect_in(with({1, 0}, 5), {"/exact_neighbours/query[1] is 0", "must ascend"});
    expect_in(with({0, kQueries}, 5), {"/exact_neighbours/query[1] is ", "below "});
    expect_in(with({0}, 5), {"/exact_neighbours/row is int64 [2, 5]"});
    expect_in(with({0, 1}, 4), {"/exact_neighbours has lists of 4 rows, /neighbours of 5"});
}

TEST(ReadColumns, LabelsOfNoneAreNoLabels) {
    TempDir const dir;
    EXPECT_TRUE(read_columns(write(dir / "a.h5", [](store::Handle const& file) {
                    write_column(file, "/samples/label", Labels(kRows, -1));
                })).labels.empty());
}

TEST(ReadColumns, NamesWhatIsMissingOrIllTyped) {
    TempDir const dir;
    auto const with = [&](std::function<void(store::Handle const&)> const& more) {
        return problem(write(dir / "a.h5", more));
    };
    expect_in(problem(dir / "none.h5"), {"none.h5", "no such file"});
    for (char const* path : {"/samples/id", "/generated/id", "/neighbours/row", "/neighbours/distance"})
        expect_in(with([&](auto const& file) { replace(file, path); }), {"a.h5", path, "missing"});
    expect_in(with([](auto const& file) {
                  replace(file, "/samples/id");
                  write_column(file, "/samples/id", Labels(kRows, 1));
              }),
              {"/samples/id is int64 [12]", "uint64 [any, not 0]"});
    expect_in(with([](auto const& file) {
                  replace(file, "/generated/id");
                  write_column(file, "/generated/id", std::vector<std::uint64_t>{});
              }),
              {"/generated/id is uint64 [0]", "any, not 0"});
    expect_in(with([](auto const& file) { write_column(file, "/samples/label", Labels(kRows - 1, 0)); }),
              {"/samples/label is int64 [11]", "int64 [12]"});
    expect_in(with([](auto const& file) { write_column(file, "/samples/label", Labels(kRows, -2)); }),
              {"/samples/label[0] is -2"});
    expect_in(
        with([](auto const& file) { write_column(file, "/samples/group", std::vector<float>(kRows, 0)); }),
        {"/samples/group is float32", "int64 [12]"});
    expect_in(with([](auto const& file) { write_column(file, "/generated/label", Labels(kRows, 0)); }),
              {"/generated/label is int64 [12]", "int64 [7]"});
    expect_in(with([](auto const& file) { store::create_group(file, "/generated/label"); }),
              {"/generated/label is a group"});
    // Declared only
    expect_in(with([](auto const& file) {
                  hsize_t const rows = kRows;
                  store::Handle const space(H5Screate_simple(1, &rows, nullptr), "space");
                  store::Handle const links(H5Pcreate(H5P_LINK_CREATE), "links");
                  store::Handle const column(H5Dcreate2(file.id(), "/samples/label", H5T_NATIVE_INT64,
                                                        space.id(), links.id(), H5P_DEFAULT, H5P_DEFAULT),
                                             "label");
              }),
              {"/samples/label is empty (declared, but never written)"});
}

TEST(ReadColumns, RefusesBadQualities) {
    TempDir const dir;
    auto const with = [&](float bad) {
        return problem(write(dir / "a.h5", [&](store::Handle const& file) {
            std::vector<float> quality(kQueries, 1);
            quality[4] = bad;
            write_column(file, "/generated/quality", quality);
        }));
    };
    expect_in(with(std::nanf("")), {"/generated/quality[4] is nan", "finite and at least 0"});
    expect_in(with(-0.25f), {"/generated/quality[4] is -0.25"});
    expect_in(with(std::numeric_limits<float>::infinity()), {"is inf"});
    expect_in(problem(write(dir / "b.h5",
                            [](auto const& file) {
                                write_column(file, "/generated/quality", std::vector<double>(kQueries, 1));
                            })),
              {"/generated/quality is float64", "float32 [7]"});
}

TEST(ReadColumns, RefusesBadAttributes) {
    TempDir const dir;
    auto const with = [&](std::vector<std::uint8_t> const& generated, std::uint64_t width) {
        return problem(write(dir / "a.h5", [&](store::Handle const& file) {
            write_column(file, "/samples/attribute", kAttributes, {kRows, 2});
            if (width > 0)
                write_column(file, "/generated/attribute", generated, {kQueries, width});
        }));
    };
    expect_in(with({}, 0), {"/samples/attribute without /generated/attribute"});
    expect_in(with(std::vector<std::uint8_t>(kQueries * 3, 1), 3),
              {"/generated/attribute is uint8 [7, 3]", "uint8 [7, 2]"});
    std::vector<std::uint8_t> values(kQueries * 2, 1);
    values[5] = 2;
    expect_in(with(values, 2), {"/generated/attribute[2, 1] is 2"});
}

TEST(ReadColumns, RefusesBadLists) {
    TempDir const dir;
    auto const with = [&](std::function<void(Neighbours&)> const& spoil) {
        Neighbours lists = example_lists();
        spoil(lists);
        return problem(write(dir / "a.h5", {}, lists));
    };
    expect_in(with([](Neighbours& lists) { lists.rows[7] = 12; }),
              {"/neighbours/row[1, 2] is 12", "below 12"});
    expect_in(with([](Neighbours& lists) { lists.rows[7] = -1; }), {"/neighbours/row[1, 2] is -1"});
    expect_in(with([](Neighbours& lists) { lists.distances[7] = std::nan(""); }),
              {"/neighbours/distance[1, 2] is nan"});
    expect_in(with([](Neighbours& lists) { std::swap(lists.distances[7], lists.distances[8]); }),
              {"/neighbours[1]: rank 3", "must ascend"});
    expect_in(with([](Neighbours& lists) {
                  lists.distances.assign(lists.distances.size(), 1);
                  std::fill(lists.rows.begin(), lists.rows.end(), 0);
                  for (std::size_t i = 0; i < lists.rows.size(); ++i)
                      lists.rows[i] = static_cast<std::int64_t>(i % 5);
                  std::swap(lists.rows[8], lists.rows[9]); // equal distances: rows must ascend
              }),
              {"/neighbours[1]: rank 4 has distance 1 and row 3"});
    expect_in(with([](Neighbours& lists) { lists.rows[9] = lists.rows[5]; }),
              {"/neighbours/row[1] has row", "twice"});
    expect_in(problem(write(dir / "b.h5",
                            [](store::Handle const& file) {
                                Neighbours const lists = example_lists(4);
                                replace(file, "/neighbours/distance");
                                write_column(file, "/neighbours/distance", lists.distances, {kQueries, 4});
                            })),
              {"/neighbours/distance is float64 [7, 4]", "float64 [7, 5]"});
    expect_in(problem(write(dir / "c.h5",
                            [](store::Handle const& file) {
                                Neighbours lists{kRows + 1, Labels(kQueries * (kRows + 1), 0),
                                                 std::vector<double>(kQueries * (kRows + 1), 0)};
                                write_lists(file, "/pixel_neighbours", lists);
                            })),
              {"/pixel_neighbours/row is [7, 13]", "the 12 rows"});
}

// The file on disk is what was announced, and what metrics() say
TEST(Metrics, FitWhatWasAnnounced) {
    TempDir const dir;
    for (bool everything : {false, true}) {
        ValuationInput input = input_of(example_lists(), kRows);
        if (everything) {
            input.labels = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, -1};
            input.generated_labels = {0, 1, 1, 0, -1, 1, 5};
            input.groups = {9, 9, 9, 9, 9, 9, 1, 1, 1, 1, 1, 1};
            input.quality = {1, 2, 3, 4, 5, 6, 7};
            input.attributes = 2;
            input.attribute = kAttributes;
            input.generated_attribute.assign(kQueries * 2, 1);
            input.pixels = lists_of(example_lists(2));
        }
        ValuationOptions const options{.k = 3,
                                       .quality = everything ? QualityMode::raw : QualityMode::none,
                                       .bootstrap = 20,
                                       .shapley_k = 2,
                                       .listed = 8};
        Valuation const valuation = value(input, options);
        store::ResultLayout layout;
        layout.shards = 1;
        layout.text = {{"status", "running "}};
        announce(layout, extent_of(input), options);
        fs::path const path = dir / (everything ? "all.h5" : "least.h5");
        store::ResultFile::create({}, path, layout).close();
        std::vector<store::Metrics> const written = metrics(valuation);
        store::complete(path, written, {}, {});

        store::Handle const file = store::open_to_read(path);
        std::size_t tables = 0;
        for (store::Metrics const& group : written) {
            for (auto const& [name, values] : group.tables) {
                auto const stored =
                    store::read_all<double>(store::open_dataset(file, group.group + "/" + name));
                EXPECT_EQ(std::memcmp(stored.data(), values.data(), values.size() * sizeof(double)), 0)
                    << name;
                ++tables;
            }
            for (auto const& [name, values] : group.integers) {
                EXPECT_EQ(store::read_all<std::int64_t>(store::open_dataset(file, group.group + "/" + name)),
                          values);
                ++tables;
            }
            for (auto const& [name, text] : group.texts)
                EXPECT_EQ(store::read_string(file, group.group, name), text);
        }
        EXPECT_EQ(tables, layout.columns.size()); // nothing was announced that is not written
        EXPECT_EQ(layout.metric_names.at(kMetrics).size(), written.at(1).numbers.size());
    }
}

TEST(WriteValues, HoldsWhatAResultsFileWould) {
    TempDir const dir;
    ValuationInput input = input_of(example_lists(), kRows);
    input.groups = {9, 9, 9, 9, 9, 9, 1, 1, 1, 1, 1, 1};
    Valuation const valuation = value(input, {.k = 3});
    for (int repeat = 0; repeat < 2; ++repeat)
        write_values(dir / "values.h5", valuation, input.ids);
    store::Handle const file = store::open_to_read(dir / "values.h5");
    EXPECT_EQ(store::read_all<std::uint64_t>(store::open_dataset(file, "/samples/id")), input.ids);
    EXPECT_EQ(store::read_all<double>(store::open_dataset(file, "/values/credit")), valuation.credit);
    EXPECT_EQ(store::read_all<std::int64_t>(store::open_dataset(file, "/values/hits")), valuation.hits);
    EXPECT_EQ(store::shape_of(store::open_dataset(file, "/values/group/lift_interval")),
              (store::Shape{2, 2}));
    EXPECT_FALSE(store::exists(file, "/metrics"));
    EXPECT_EQ(std::distance(fs::directory_iterator(dir / ""), {}), 1); // nothing temporary is left
}

TEST(OptionsOf, FollowTheJob) {
    job::Job job;
    job.job.seed = 5;
    job.valuation.k = 7;
    job.valuation.temperature = "median_gap";
    job.valuation.quality = "entropy";
    job.valuation.quality_mode = "raw";
    job.valuation.distance = "cosine";
    ValuationOptions const options = options_of(job);
    EXPECT_EQ(options.seed, 5u);
    EXPECT_EQ(options.k, 7);
    EXPECT_EQ(options.temperature, Temperature::median_gap);
    EXPECT_EQ(options.quality, QualityMode::raw);
    EXPECT_EQ(options.distance, "cosine");
    EXPECT_EQ(options_of(job::Job{}).quality, QualityMode::none);
    EXPECT_EQ(options_of(job::Job{}).k, ValuationOptions{}.k);
}
