// Runs on any number of ranks (support/mpi_main.cpp): serial files are each rank's own, parallel ones shared
#include "assay/store/hdf5.hpp"

#include "support/world.hpp"

#include <cstring>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <numeric>

namespace assay::store {
namespace {

namespace fs = std::filesystem;
using test::world;

class Hdf5 : public testing::Test {
  protected:
    // A serial file of this rank's own
    fs::path mine() const { return folder_ / fmt::format("rank{}.h5", world().rank()); }
    // A file of all ranks
    fs::path shared() const { return folder_ / "shared.h5"; }
    test::SharedFolder folder_;
};

std::string error_of(Exit code, auto&& action) {
    try {
        action();
        ADD_FAILURE() << "no error";
        return "";
    } catch (Error const& error) {
        EXPECT_EQ(error.code(), code) << error.what();
        return error.what();
    }
}

TEST_F(Hdf5, WhatWasNotWrittenIsNanOrZero) {
    Handle const file = create_file(mine());
    Handle const floats = create_dataset(file, "/deep/down/floats", native_type<float>(), {3, 2});
    Handle const doubles = create_dataset(file, "/doubles", native_type<double>(), {2});
    Handle const flags = create_dataset(file, "/flags", native_type<std::uint8_t>(), {4});
    for (float value : read_all<float>(floats))
        EXPECT_TRUE(std::isnan(value));
    for (double value : read_all<double>(doubles))
        EXPECT_TRUE(std::isnan(value));
    EXPECT_EQ(read_all<std::uint8_t>(flags), std::vector<std::uint8_t>(4, 0));
    EXPECT_EQ(shape_of(floats), (Shape{3, 2}));
}

// HDF5 hands out freed space again: unless it is told to fill, what lay there before looks like data
TEST_F(Hdf5, OldBytesDoNotShowThrough) {
    Handle const file = create_file(mine());
    std::vector<std::uint8_t> const old(4096, 0xEE);
    {
        Handle const dataset = create_dataset(file, "/old", native_type<std::uint8_t>(), {old.size()});
        write_rows(dataset, 0, old.size(), native_type<std::uint8_t>(), old.data());
        require(H5Fflush(file.id(), H5F_SCOPE_GLOBAL), "flush");
    }
    require(H5Ldelete(file.id(), "/old", H5P_DEFAULT), "delete");
    EXPECT_EQ(read_all<std::uint8_t>(create_dataset(file, "/flags", native_type<std::uint8_t>(), {1000})),
              std::vector<std::uint8_t>(1000, 0));
    EXPECT_EQ(read_all<std::uint64_t>(create_dataset(file, "/sums", native_type<std::uint64_t>(), {300})),
              std::vector<std::uint64_t>(300, 0));
}

// Both are what a killed run depends on: the place of every byte is fixed when the dataset is made
TEST_F(Hdf5, DatasetsAreContiguousAndAllocatedAtOnce) {
    Handle const file = create_file(mine());
    Handle const dataset = create_dataset(file, "/x", native_type<float>(), {100});
    Handle const properties(H5Dget_create_plist(dataset.id()), "H5Dget_create_plist");
    EXPECT_EQ(H5Pget_layout(properties.id()), H5D_CONTIGUOUS);
    EXPECT_EQ(H5Dget_storage_size(dataset.id()), 400u);
    EXPECT_NE(H5Dget_offset(dataset.id()), HADDR_UNDEF);
}

TEST_F(Hdf5, RowsAreWrittenAndReadByRange) {
    Handle const file = create_file(mine());
    Handle const dataset = create_dataset(file, "/x", native_type<float>(), {4, 3});
    std::vector<float> const rows{1, 2, 3, 4, 5, 6};
    write_rows(dataset, 1, 2, native_type<float>(), rows.data());
    std::vector<float> read(3);
    read_rows(dataset, 2, 1, native_type<float>(), read.data());
    EXPECT_EQ(read, (std::vector<float>{4, 5, 6}));
    std::vector<float> const all = read_all<float>(dataset);
    EXPECT_TRUE(std::isnan(all[2]) && std::isnan(all[9]));
    EXPECT_EQ(all[3], 1);
    write_rows(dataset, 0, 0, native_type<float>(), nullptr); // nothing to write is fine
}

TEST_F(Hdf5, BlocksAreRead) {
    Handle const file = create_file(mine());
    Handle const dataset = create_dataset(file, "/x", native_type<float>(), {3, 4});
    std::vector<float> values(12);
    std::iota(values.begin(), values.end(), 0.f);
    write_rows(dataset, 0, 3, native_type<float>(), values.data());
    std::vector<float> block(4);
    read_block(dataset, {1, 2}, {2, 2}, native_type<float>(), block.data());
    EXPECT_EQ(block, (std::vector<float>{6, 7, 10, 11}));
    EXPECT_THROW(read_block(dataset, {1, 2}, {3, 2}, native_type<float>(), block.data()), Error);
}

TEST_F(Hdf5, RowsOutsideTheDatasetAreRefused) {
    Handle const file = create_file(mine());
    Handle const dataset = create_dataset(file, "/x", native_type<float>(), {4});
    std::vector<float> values(2);
    error_of(Exit::io, [&] { write_rows(dataset, 3, 2, native_type<float>(), values.data()); });
    error_of(Exit::io, [&] { read_rows(dataset, 4, 1, native_type<float>(), values.data()); });
}

TEST_F(Hdf5, TypesHaveNames) {
    Handle const file = create_file(mine());
    std::vector<std::pair<hid_t, std::string>> const types{{H5T_NATIVE_UINT8, "uint8"},
                                                           {H5T_NATIVE_INT64, "int64"},
                                                           {H5T_NATIVE_UINT64, "uint64"},
                                                           {H5T_NATIVE_FLOAT, "float32"},
                                                           {H5T_NATIVE_DOUBLE, "float64"},
                                                           {H5T_NATIVE_INT16, "int16"},
                                                           {H5T_C_S1, "other"}};
    for (auto const& [type, name] : types)
        EXPECT_EQ(type_name(create_dataset(file, "/" + name, type, {1})), name);
}

TEST_F(Hdf5, ExistsLooksAtEveryStepOfThePath) {
    Handle const file = create_file(mine());
    create_dataset(file, "/a/b/c", native_type<float>(), {1});
    for (char const* path : {"/", "/a", "/a/b", "/a/b/c"})
        EXPECT_TRUE(exists(file, path)) << path;
    for (char const* path : {"/x", "/a/x", "/x/b/c", "/a/b/x"})
        EXPECT_FALSE(exists(file, path)) << path;
}

TEST_F(Hdf5, NamesComeInByteOrder) {
    Handle const file = create_file(mine());
    for (char const* name : {"/g/b", "/g/a", "/g/Z", "/g/a2"})
        create_dataset(file, name, native_type<float>(), {1});
    EXPECT_EQ(names_in(file, "/g"), (std::vector<std::string>{"Z", "a", "a2", "b"}));
    EXPECT_TRUE(names_in(file, "/none").empty());
}

TEST_F(Hdf5, StringAttributesAreRewrittenInPlace) {
    {
        Handle const file = create_file(mine());
        write_string(file, "/", "status", "running", 12);
        write_string(file, "/", "empty", "");
        write_string(file, "/", "status", "complete");
        EXPECT_EQ(read_string(file, "/", "status"), "complete");
    }
    Handle const file = open_to_read(mine());
    Handle const attribute(H5Aopen(file.id(), "status", H5P_DEFAULT), "status");
    EXPECT_EQ(H5Aget_storage_size(attribute.id()), 12u); // as made, not as rewritten
    EXPECT_EQ(read_string(file, "/", "status"), "complete");
    EXPECT_EQ(read_string(file, "/", "empty"), "");
    EXPECT_EQ(read_string(file, "/", "none"), std::nullopt);
}

TEST_F(Hdf5, AShorterStringLeavesNothingOfALongerOne) {
    Handle const file = create_file(mine());
    write_string(file, "/", "text", "a long value", 20);
    write_string(file, "/", "text", "short");
    EXPECT_EQ(read_string(file, "/", "text"), "short");
    write_string(file, "/", "text", std::string(30, 'x')); // longer than its place: cut
    EXPECT_EQ(read_string(file, "/", "text"), std::string(20, 'x'));
}

TEST_F(Hdf5, StringsOfH5pyAreRead) {
    Handle const file = create_file(mine());
    Handle const type(H5Tcopy(H5T_C_S1), "H5Tcopy");
    require(H5Tset_size(type.id(), H5T_VARIABLE), "H5Tset_size");
    require(H5Tset_cset(type.id(), H5T_CSET_UTF8), "H5Tset_cset");
    Handle const scalar(H5Screate(H5S_SCALAR), "H5Screate");
    Handle const attribute(H5Acreate2(file.id(), "layout", type.id(), scalar.id(), H5P_DEFAULT, H5P_DEFAULT),
                           "layout");
    char const* value = "NCHW";
    require(H5Awrite(attribute.id(), type.id(), &value), "layout");
    EXPECT_EQ(read_string(file, "/", "layout"), "NCHW");
    write_number(file, "/", "number", 3.0);
    EXPECT_EQ(read_string(file, "/", "number"), std::nullopt);
}

TEST_F(Hdf5, NumbersAreRewrittenInPlace) {
    Handle const file = create_file(mine());
    create_dataset(file, "/x", native_type<float>(), {1});
    write_number(file, "/x", "value", std::nan(""));
    write_number(file, "/x", "value", 2.5);
    write_number(file, "/", "count", std::int64_t{1} << 60);
    double value = 0;
    std::int64_t count = 0;
    Handle const a(H5Aopen_by_name(file.id(), "/x", "value", H5P_DEFAULT, H5P_DEFAULT), "value");
    Handle const b(H5Aopen(file.id(), "count", H5P_DEFAULT), "count");
    require(H5Aread(a.id(), H5T_NATIVE_DOUBLE, &value), "value");
    require(H5Aread(b.id(), H5T_NATIVE_INT64, &count), "count");
    EXPECT_EQ(value, 2.5);
    EXPECT_EQ(count, std::int64_t{1} << 60);
}

TEST_F(Hdf5, HandlesMoveAndClose) {
    Handle file = create_file(mine());
    hid_t const id = file.id();
    Handle moved = std::move(file);
    EXPECT_EQ(moved.id(), id);
    EXPECT_FALSE(file);
    moved.close();
    EXPECT_FALSE(moved);
    EXPECT_LE(H5Iis_valid(id), 0);
    moved.close(); // closed already: nothing happens
    error_of(Exit::io, [] { Handle(H5I_INVALID_HID, "made up"); });
}

TEST_F(Hdf5, FilesThatCannotBeReadAreNamed) {
    std::string message = error_of(Exit::data, [&] { open_to_read(mine()); });
    EXPECT_NE(message.find(mine().string()), std::string::npos) << message;
    std::ofstream(mine()) << "this is no HDF5 file at all, only a text that goes on for a while";
    message = error_of(Exit::data, [&] { open_to_read(mine()); });
    EXPECT_NE(message.find(mine().string()), std::string::npos) << message;
    {
        Handle const file = create_file(mine());
        create_dataset(file, "/x", native_type<float>(), {10000});
    }
    fs::resize_file(mine(), fs::file_size(mine()) / 2);
    error_of(Exit::data, [&] { open_to_read(mine()); });
}

TEST_F(Hdf5, AMissingDatasetIsNamed) {
    Handle const file = create_file(mine());
    std::string const message = error_of(Exit::io, [&] { open_dataset(file, "/no/such"); });
    EXPECT_NE(message.find("/no/such"), std::string::npos) << message;
}

// Rank r writes r + 1 rows, the last rank none: the shape of every round of a pass
struct Share {
    std::uint64_t begin, count;
    static Share mine() {
        auto const rank = static_cast<std::uint64_t>(world().rank());
        bool const idle = world().size() > 1 && world().rank() == world().size() - 1;
        return {rank * (rank + 1) / 2, idle ? 0 : rank + 1};
    }
};

TEST_F(Hdf5, BulkWritesStayCollective) {
    if (world().is_serial())
        GTEST_SKIP() << "needs a launcher";
    auto const ranks = static_cast<std::uint64_t>(world().size());
    Share const share = Share::mine();
    std::uint64_t const rows = ranks == 1 ? 1 : ranks * (ranks - 1) / 2;
    Handle file = create_file(shared(), world());
    Handle floats = create_dataset(file, "/floats", native_type<float>(), {rows});
    Handle matrix = create_dataset(file, "/matrix", native_type<float>(), {rows, 5});
    Handle ids = create_dataset(file, "/ids", native_type<std::uint64_t>(), {rows});
    std::vector<float> values(share.count * 5);
    std::iota(values.begin(), values.end(), static_cast<float>(share.begin * 5));
    std::vector<std::uint64_t> numbers(share.count);
    std::iota(numbers.begin(), numbers.end(), share.begin);
    EXPECT_EQ(write_rows(floats, share.begin, share.count, native_type<float>(), values.data(), true), 0u);
    EXPECT_EQ(write_rows(matrix, share.begin, share.count, native_type<float>(), values.data(), true), 0u);
    EXPECT_EQ(write_rows(ids, share.begin, share.count, native_type<std::uint64_t>(), numbers.data(), true),
              0u);
    for (Handle* handle : {&floats, &matrix, &ids, &file})
        handle->close();

    Handle const again = open_to_read(shared());
    std::vector<float> expected(rows * 5);
    std::iota(expected.begin(), expected.end(), 0.0F);
    EXPECT_EQ(read_all<float>(open_dataset(again, "/matrix")), expected);
    std::vector<std::uint64_t> expected_ids(rows);
    std::iota(expected_ids.begin(), expected_ids.end(), std::uint64_t{0});
    EXPECT_EQ(read_all<std::uint64_t>(open_dataset(again, "/ids")), expected_ids);
}

// Ranges of all ranks interleave: equally far apart, where one selection does, and not
TEST_F(Hdf5, RangesAreWrittenTogether) {
    auto const ranks = static_cast<std::uint64_t>(world().size()),
               rank = static_cast<std::uint64_t>(world().rank());
    for (std::vector<std::uint64_t> const& blocks : {std::vector<std::uint64_t>{0, 1, 2}, {0, 1, 4}, {}}) {
        std::uint64_t const rows = 2 * 5 * ranks;
        Handle file = create_file(shared(), world());
        Handle matrix = create_dataset(file, "/matrix", native_type<float>(), {rows, 3});
        std::vector<RowRange> ranges;
        std::vector<float> values, expected(3 * rows, std::nanf(""));
        for (std::uint64_t block : blocks)
            for (std::uint64_t owner = 0; owner < ranks; ++owner) {
                std::uint64_t const begin = 2 * (block * ranks + owner);
                if (owner == rank)
                    ranges.push_back({begin, 2});
                for (std::uint64_t i = 3 * begin; i < 3 * (begin + 2); ++i) {
                    expected[i] = static_cast<float>(i);
                    if (owner == rank)
                        values.push_back(expected[i]);
                }
            }
        std::uint32_t const cause =
            write_ranges(matrix, ranges, native_type<float>(), values.data(), !world().is_serial());
        EXPECT_TRUE(cause == 0 || world().is_serial());
        matrix.close();
        file.close();
        std::vector<float> const written = read_all<float>(open_dataset(open_to_read(shared()), "/matrix"));
        EXPECT_EQ(std::memcmp(written.data(), expected.data(), sizeof(float) * expected.size()), 0);
        world().barrier();
    }
}

// The proof of BulkWritesStayCollective can fail: what HDF5 must convert, and what was not asked to be
// collective, says so
TEST_F(Hdf5, WritesThatAreNotCollectiveSaySo) {
    if (world().is_serial())
        GTEST_SKIP() << "needs a launcher";
    auto const rank = static_cast<std::uint64_t>(world().rank());
    Handle file = create_file(shared(), world());
    Handle doubles =
        create_dataset(file, "/doubles", native_type<double>(), {static_cast<std::uint64_t>(world().size())});
    float const value = 1;
    EXPECT_EQ(write_rows(doubles, rank, 1, native_type<float>(), &value, true),
              static_cast<std::uint32_t>(H5D_MPIO_DATATYPE_CONVERSION));
    EXPECT_EQ(write_rows(doubles, rank, 1, native_type<float>(), &value, false),
              static_cast<std::uint32_t>(H5D_MPIO_SET_INDEPENDENT));
    doubles.close();
    file.close();
}

} // namespace
} // namespace assay::store
