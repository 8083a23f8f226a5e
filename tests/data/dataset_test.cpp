#include "data/fixtures.hpp"

#include <cmath>
#include <functional>
#include <limits>

using namespace assay;
using namespace assay::data;
using namespace assay::data::test;

namespace {

template <class T>
void put(store::Handle const& file, std::string const& path, store::Shape const& shape,
         std::vector<T> const& values) {
    auto const array = store::create_dataset(file, path, store::native_type<T>(), shape);
    if (!values.empty())
        store::write_rows(array, 0, shape[0], store::native_type<T>(), values.data());
}

// 6 grey images of 2x2: value 10 * row + element
Bytes const kValues{0,  1,  2,  3,  10, 11, 12, 13, 20, 21, 22, 23,
                    30, 31, 32, 33, 40, 41, 42, 43, 50, 51, 52, 53};

void put_good_samples(store::Handle const& file) {
    put(file, "/samples", {6, 1, 2, 2}, kValues);
}

struct Fault {
    std::string name;
    std::vector<std::string> named; // what the message must hold beside the file's name
    std::function<void(store::Handle const&)> make;
};

void expect_fault(TempDir const& dir, Fault const& fault) {
    SCOPED_TRACE(fault.name);
    auto const path = dir / (fault.name + ".h5");
    fault.make(store::create_file(path));
    auto const message = error_of(Exit::data, [&] { Dataset const dataset(path); });
    expect_in(message, {path.string()});
    expect_in(message, fault.named);
}

} // namespace

TEST(Dataset, ReadsRowsInTheOrderAsked) {
    TempDir const dir;
    {
        auto const file = store::create_file(dir / "d.h5");
        put_good_samples(file);
        put<std::int64_t>(file, "/labels", {6}, {5, 4, 3, 2, 1, 0});
        put<std::uint64_t>(file, "/ids", {6}, {100, 7, 102, 103, ~0ULL, 105});
    }
    Dataset const dataset(dir / "d.h5");
    EXPECT_EQ(dataset.info().size, 6U);
    EXPECT_EQ(dataset.info().sample_shape, (store::Shape{1, 2, 2}));
    EXPECT_EQ(dataset.info().sample_bytes(), 4U);
    EXPECT_EQ(dataset.info().layout, "NCHW");
    EXPECT_TRUE(dataset.info().has_labels);
    EXPECT_EQ(dataset.ids(), (std::vector<std::uint64_t>{100, 7, 102, 103, ~0ULL, 105}));
    EXPECT_EQ(dataset.labels(2, 4), (std::vector<std::int64_t>{3, 2}));

    std::vector<std::uint64_t> const rows{1, 2, 3, 0, 5, 4, 4, 5}; // runs of 3, 1, 1, 1, 2
    auto const samples = dataset.read(rows);
    ASSERT_EQ(samples.values.size(), rows.size() * 4);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        EXPECT_EQ(samples.labels[i], static_cast<std::int64_t>(5 - rows[i]));
        EXPECT_EQ(samples.ids[i], dataset.ids()[rows[i]]);
        for (std::size_t k = 0; k < 4; ++k)
            EXPECT_EQ(std::to_integer<std::uint64_t>(samples.values[i * 4 + k]), 10 * rows[i] + k);
    }
    EXPECT_TRUE(dataset.read({}).values.empty());
    expect_in(error_of(Exit::internal, [&] { dataset.read(std::vector<std::uint64_t>{6}); }), {"row 6"});
}

TEST(Dataset, FillsInWhatIsOptional) {
    TempDir const dir;
    put<float>(store::create_file(dir / "nc.h5"), "/samples", {2, 3}, {1, 2, 3, 4, 5, 6});
    Dataset const dataset(dir / "nc.h5");
    EXPECT_EQ(dataset.info().type, SampleType::float32);
    EXPECT_EQ(dataset.info().layout, "NC");
    EXPECT_EQ(dataset.info().sample_bytes(), 12U);
    EXPECT_FALSE(dataset.info().has_labels);
    EXPECT_EQ(dataset.ids(), (std::vector<std::uint64_t>{0, 1}));
    EXPECT_EQ(dataset.ids(1, 2), (std::vector<std::uint64_t>{1}));
    EXPECT_TRUE(dataset.labels().empty());
    EXPECT_TRUE(all(dataset).labels.empty());
    {
        auto const file = store::create_file(dir / "nt.h5");
        put<std::uint8_t>(file, "/samples", {1, 2}, {8, 9});
        store::write_string(file, "/samples", "layout", "NT");
    }
    EXPECT_EQ(Dataset(dir / "nt.h5").info().layout, "NT");
}

TEST(Dataset, RefusesSamplesThatBreakTheContract) {
    TempDir const dir;
    auto const with_layout = [](std::string const& layout) {
        return [layout](store::Handle const& file) {
            put_good_samples(file);
            store::write_string(file, "/samples", "layout", layout);
        };
    };
    std::vector<Fault> const faults{
        {"missing",
         {"/samples", "missing"},
         [](auto const& f) { put<std::int64_t>(f, "/labels", {1}, {0}); }},
        {"group", {"/samples", "group"}, [](auto const& f) { store::create_group(f, "/samples"); }},
        {"double",
         {"/samples", "float64", "float32"},
         [](auto const& f) {
             put<double>(f, "/samples", {1, 1}, {1});
         }},
        {"rank",
         {"/samples", "1 axes"},
         [](auto const& f) {
             put<std::uint8_t>(f, "/samples", {3}, {1, 2, 3});
         }},
        {"none",
         {"/samples", "no samples"},
         [](auto const& f) {
             put<std::uint8_t>(f, "/samples", {0, 1, 2, 2}, {});
         }},
        {"flat",
         {"/samples", "3x1x0x2"},
         [](auto const& f) {
             put<std::uint8_t>(f, "/samples", {3, 1, 0, 2}, {});
         }},
        {"unclear",
         {"/samples", "layout"},
         [](auto const& f) {
             put<float>(f, "/samples", {1, 1, 1}, {1});
         }},
        {"short_layout", {"'NHW'", "4 axes"}, with_layout("NHW")},
        {"no_n_layout", {"'CNHW'"}, with_layout("CNHW")},
        {"twice_layout", {"'NCCW'"}, with_layout("NCCW")},
        {"small_layout", {"'NChw'"}, with_layout("NChw")},
    };
    for (auto const& fault : faults)
        expect_fault(dir, fault);
}

TEST(Dataset, RefusesColumnsThatDoNotFit) {
    TempDir const dir;
    std::vector<Fault> const faults{
        {"labels_int32",
         {"/labels", "int32", "labels.astype(\"int64\")"},
         [](auto const& f) { store::create_dataset(f, "/labels", H5T_NATIVE_INT32, {6}); }},
        {"labels_float", {"/labels", "float32"}, [](auto const& f) { put<float>(f, "/labels", {6}, {}); }},
        {"labels_short",
         {"/labels", "5", "6"},
         [](auto const& f) { put<std::int64_t>(f, "/labels", {5}, {}); }},
        {"labels_rank",
         {"/labels", "2 axes"},
         [](auto const& f) {
             put<std::int64_t>(f, "/labels", {6, 1}, {});
         }},
        {"ids_int64",
         {"/ids", "int64", "uint64"},
         [](auto const& f) { put<std::int64_t>(f, "/ids", {6}, {}); }},
        {"ids_long", {"/ids", "7", "6"}, [](auto const& f) { put<std::uint64_t>(f, "/ids", {7}, {}); }},
    };
    for (auto fault : faults) {
        fault.make = [make = fault.make](store::Handle const& file) {
            put_good_samples(file);
            make(file);
        };
        expect_fault(dir, fault);
    }
}

TEST(Dataset, RefusesArraysThatLiveElsewhereOrWereNeverWritten) {
    TempDir const dir;
    put_good_samples(store::create_file(dir / "other.h5"));
    auto const other = (dir / "other.h5").string();
    // Creates /samples with the given layout but writes nothing
    auto const declare = [](store::Handle const& file, std::function<void(hid_t)> const& set) {
        hsize_t const shape[2] = {8, 4};
        store::Handle const space(H5Screate_simple(2, shape, nullptr), "space");
        store::Handle const create(H5Pcreate(H5P_DATASET_CREATE), "properties");
        set(create.id());
        return store::Handle(H5Dcreate2(file.id(), "/samples", H5T_NATIVE_UINT8, space.id(), H5P_DEFAULT,
                                        create.id(), H5P_DEFAULT),
                             "/samples");
    };
    auto const chunked = [](hid_t create) {
        hsize_t const chunk[2] = {4, 3}; // 2 x 2 chunks
        H5Pset_chunk(create, 2, chunk);
    };
    std::vector<Fault> const faults{
        {"external_link",
         {"/samples", "link"},
         [&](auto const& f) {
             H5Lcreate_external(other.c_str(), "/samples", f.id(), "/samples", H5P_DEFAULT, H5P_DEFAULT);
         }},
        {"soft_link",
         {"/samples", "link"},
         [&](auto const& f) {
             put<std::uint8_t>(f, "/elsewhere", {1, 1}, {1});
             H5Lcreate_soft("/elsewhere", f.id(), "/samples", H5P_DEFAULT, H5P_DEFAULT);
         }},
        {"external_values",
         {"/samples", "other files"},
         [&](auto const& f) {
             declare(f, [&](hid_t p) { H5Pset_external(p, (dir / "raw").c_str(), 0, 32); });
         }},
        {"never_written", {"/samples", "never written"}, [&](auto const& f) { declare(f, [](hid_t) {}); }},
        {"half_written",
         {"/samples", "2 of its 4 chunks"},
         [&](auto const& f) {
             auto const array = declare(f, chunked);
             store::write_rows(array, 0, 4, H5T_NATIVE_UINT8, kValues.data());
         }},
    };
    for (auto const& fault : faults)
        expect_fault(dir, fault);

    {
        auto const file = store::create_file(dir / "whole.h5");
        store::write_rows(declare(file, chunked), 0, 6, H5T_NATIVE_UINT8,
                          kValues.data()); // touches all chunks
    }
    EXPECT_EQ(Dataset(dir / "whole.h5").info().size, 8U);
}

TEST(Dataset, RefusesFilesThatAreNotWhole) {
    TempDir const dir;
    expect_in(error_of(Exit::data, [&] { Dataset(dir / "none.h5"); }), {"none.h5", "no such file"});
    expect_in(error_of(Exit::data, [&] { Dataset(dir / ""); }), {"no regular file"});
    write_text(dir / "text.h5", "id,label\n");
    expect_in(error_of(Exit::data, [&] { Dataset(dir / "text.h5"); }), {"text.h5", "HDF5"});
    put_good_samples(store::create_file(dir / "whole.h5"));
    auto const whole = read_bytes(dir / "whole.h5");
    for (auto const keep : {0UL, 7UL, 90UL, whole.size() / 2, whole.size() - 1}) {
        SCOPED_TRACE(keep);
        write_bytes(dir / "cut.h5", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(keep)));
        expect_in(error_of(Exit::data, [&] { Dataset(dir / "cut.h5"); }), {"cut.h5"});
    }
    auto damaged = whole;
    std::fill(damaged.begin() + 96, damaged.begin() + 1024, std::uint8_t{0xFF}); // all behind the superblock
    write_bytes(dir / "damaged.h5", damaged);
    expect_in(error_of(Exit::data, [&] { Dataset(dir / "damaged.h5"); }), {"damaged.h5", "cannot be opened"});
}

TEST(CheckValues, NamesTheFirstValueThatIsNoNumber) {
    TempDir const dir;
    constexpr std::uint64_t kSide = 512; // 1 MiB per sample, so that the ten samples take three pieces
    {
        auto const file = store::create_file(dir / "d.h5");
        std::vector<float> values(10 * kSide * kSide, 0.5F);
        values[3 * kSide * kSide + 17] = -std::numeric_limits<float>::infinity();
        values[9 * kSide * kSide + 1] = std::nanf("");
        put(file, "/samples", {10, 1, kSide, kSide}, values);
        put<std::uint64_t>(file, "/ids", {10}, {50, 51, 52, 53, 54, 55, 56, 57, 58, 59});
    }
    Dataset const dataset(dir / "d.h5");
    expect_in(error_of(Exit::data, [&] { check_values(dataset, 0, 10); }),
              {(dir / "d.h5").string(), "/samples", "-inf", "row 3", "id 53"});
    expect_in(error_of(Exit::data, [&] { check_values(dataset, 4, 10); }), {"nan", "row 9", "id 59"});
    EXPECT_NO_THROW(check_values(dataset, 4, 9));
    EXPECT_NO_THROW(check_values(dataset, 0, 3));
}

TEST(CheckValues, NamesTheFirstNegativeLabel) {
    TempDir const dir;
    {
        auto const file = store::create_file(dir / "bytes.h5");
        put_good_samples(file);
        put<std::int64_t>(file, "/labels", {6}, {0, 1, 2, -3, 4, -5});
    }
    Dataset const bytes(dir / "bytes.h5");
    expect_in(error_of(Exit::data, [&] { check_values(bytes, 0, 6); }),
              {"bytes.h5", "/labels", "-3", "row 3"});
    EXPECT_NO_THROW(check_values(bytes, 0, 3));
    EXPECT_NO_THROW(check_values(bytes, 4, 5));
    {
        auto const file = store::create_file(dir / "floats.h5");
        put<float>(file, "/samples", {3, 1}, {0, 0, std::nanf("")});
        put<std::int64_t>(file, "/labels", {3}, {0, -1, 0});
    }
    Dataset const floats(dir / "floats.h5");
    expect_in(error_of(Exit::data, [&] { check_values(floats, 0, 3); }), {"-1", "row 1"}); // before the NaN
    expect_in(error_of(Exit::data, [&] { check_values(floats, 2, 3); }), {"nan", "row 2"});
    {
        auto const file = store::create_file(dir / "nan_first.h5");
        put<float>(file, "/samples", {2, 1}, {std::nanf(""), 0});
        put<std::int64_t>(file, "/labels", {2}, {0, -1});
    }
    expect_in(error_of(Exit::data, [&] { check_values(Dataset(dir / "nan_first.h5"), 0, 2); }),
              {"nan", "row 0"});
}

// The recipe of docs/data.md, and what else h5py users do
TEST(Dataset, ReadsFilesWrittenByH5py) {
    TempDir const dir;
    bool const ran = run_python(dir / "", "numpy, h5py", R"(
import h5py, numpy as np
x = np.arange(5 * 3 * 2 * 2, dtype="uint8").reshape(5, 3, 2, 2)
y = np.array([0, 1, 2, 1, 0])
with h5py.File("plain.h5", "w") as f:
    f["samples"] = x
    f["samples"].attrs["layout"] = "NCHW"
    f["labels"] = y.astype("int64")
    f["ids"] = np.array([11, 12, 13, 14, 15], dtype="uint64")
with h5py.File("gzip.h5", "w") as f:
    f.create_dataset("samples", data=x, compression="gzip", chunks=(2, 3, 2, 2), maxshape=(None, 3, 2, 2))
    f.create_dataset("labels", data=y.astype(">i8"), chunks=True)
with h5py.File("lzf.h5", "w") as f:
    f.create_dataset("samples", data=x, compression="lzf")
with h5py.File("letters.h5", "w") as f:
    f["samples"] = x
    f["samples"].attrs["layout"] = ["N", "C", "H", "W"]
with h5py.File("number.h5", "w") as f:
    f["samples"] = x
    f["samples"].attrs["layout"] = 4
layout = h5py.VirtualLayout(shape=x.shape, dtype=x.dtype)
layout[:] = h5py.VirtualSource("plain.h5", "samples", shape=x.shape)
with h5py.File("virtual.h5", "w") as f:
    f.create_virtual_dataset("samples", layout)
)");
    if (!ran)
        GTEST_SKIP() << "no python3 with h5py";
    Bytes expected(60);
    std::iota(expected.begin(), expected.end(), std::uint8_t{0});
    for (auto const* name : {"plain.h5", "gzip.h5"}) {
        Dataset const dataset(dir / name);
        EXPECT_EQ(values_of(dataset), expected);
        EXPECT_EQ(dataset.labels(), (std::vector<std::int64_t>{0, 1, 2, 1, 0}));
    }
    EXPECT_EQ(Dataset(dir / "plain.h5").ids(), (std::vector<std::uint64_t>{11, 12, 13, 14, 15}));
    expect_in(error_of(Exit::data, [&] { Dataset(dir / "lzf.h5"); }), {"lzf.h5", "/samples", "lzf", "gzip"});
    for (std::string const name : {"letters.h5", "number.h5"})
        expect_in(error_of(Exit::data, [&] { Dataset(dir / name); }), {name, "/samples", "not one string"});
    expect_in(error_of(Exit::data, [&] { Dataset(dir / "virtual.h5"); }), {"virtual.h5", "other files"});
}
