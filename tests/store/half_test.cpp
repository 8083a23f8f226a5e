// Runs on any number of ranks (support/mpi_main.cpp); every rank has files of its own
#include "assay/store/half.hpp"

#include "support/world.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <numeric>

namespace assay::store {
namespace {

namespace fs = std::filesystem;
using test::world;

class Half : public testing::Test {
  protected:
    fs::path mine() const { return folder_ / fmt::format("rank{}.h5", world().rank()); }
    test::SharedFolder folder_;
};

// Every pattern of 16 bits once
std::vector<std::uint16_t> all_bits() {
    std::vector<std::uint16_t> bits(1 << 16);
    std::iota(bits.begin(), bits.end(), std::uint16_t{0});
    return bits;
}

void expect_same(float a, float b, std::size_t bits) {
    EXPECT_TRUE((std::isnan(a) && std::isnan(b)) ||
                std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b))
        << a << " and " << b << " from bits " << bits;
}

TEST_F(Half, KnownValues) {
    EXPECT_EQ(from_float16(0x3C00), 1);
    EXPECT_EQ(from_float16(0xC000), -2);
    EXPECT_EQ(from_float16(0x7BFF), 65504);    // the largest
    EXPECT_EQ(from_float16(0x0400), 0x1p-14F); // the smallest normal one
    EXPECT_EQ(from_float16(0x0001), 0x1p-24F); // the smallest of all
    EXPECT_EQ(from_float16(0x03FF), 1023 * 0x1p-24F);
    EXPECT_EQ(from_float16(0xFC00), -INFINITY);
    EXPECT_TRUE(std::isnan(from_float16(0x7E00)));
    EXPECT_TRUE(std::signbit(from_float16(0x8000)));
    EXPECT_EQ(from_bfloat16(0x3F80), 1);
    EXPECT_EQ(from_bfloat16(0xC0A0), -5);
    EXPECT_EQ(from_bfloat16(0x7F80), INFINITY);
    EXPECT_TRUE(std::isnan(from_bfloat16(0x7FC0)));
}

// HDF5's own conversion is the oracle, for every value there is
TEST_F(Half, RowsAreWidenedExactly) {
    std::vector<std::uint16_t> const bits = all_bits();
    Handle const file = create_file(mine());
    for (hid_t const type : {float16_type(), bfloat16_type()}) {
        Handle const array =
            create_dataset(file, type == float16_type() ? "/f" : "/b", type, {bits.size() / 4, 4});
        write_rows(array, 0, bits.size() / 4, type, bits.data());
        std::vector<float> const expected = read_all<float>(array);
        std::vector<float> widened(bits.size());
        read_rows_as_float(array, 0, bits.size() / 4, widened);
        for (std::size_t i = 0; i < bits.size(); ++i)
            expect_same(widened[i], expected[i], i);
        std::vector<float> two(8);
        read_rows_as_float(array, 1000, 2, two);
        for (std::size_t i = 0; i < two.size(); ++i)
            expect_same(two[i], expected[4000 + i], 4000 + i);
    }
}

TEST_F(Half, BytesAndFloatsAreReadAsTheyAre) {
    Handle const file = create_file(mine());
    std::vector<std::uint8_t> const bytes{0, 1, 254, 255};
    std::vector<float> const floats{0.1F, -2.5F, 1e30F, 7};
    Handle const a = create_dataset(file, "/bytes", native_type<std::uint8_t>(), {2, 2});
    Handle const b = create_dataset(file, "/floats", native_type<float>(), {2, 2});
    write_rows(a, 0, 2, native_type<std::uint8_t>(), bytes.data());
    write_rows(b, 0, 2, native_type<float>(), floats.data());
    std::vector<float> read(4);
    read_rows_as_float(a, 0, 2, read);
    EXPECT_EQ(read, (std::vector<float>{0, 1, 254, 255}));
    read_rows_as_float(b, 0, 2, read);
    EXPECT_EQ(read, floats);
}

TEST_F(Half, TypesAreToldApart) {
    Handle const file = create_file(mine());
    Handle const foreign(H5Tcopy(float16_type()), "H5Tcopy"); // 16 bits, but another bias
    require(H5Tset_ebias(foreign.id(), 16), "H5Tset_ebias");
    Handle const big_endian(H5Tcopy(bfloat16_type()), "H5Tcopy");
    require(H5Tset_order(big_endian.id(), H5T_ORDER_BE), "H5Tset_order");
    EXPECT_EQ(type_name(create_dataset(file, "/f", float16_type(), {1})), "float16");
    EXPECT_EQ(type_name(create_dataset(file, "/b", bfloat16_type(), {1})), "bfloat16");
    EXPECT_EQ(type_name(create_dataset(file, "/o", foreign.id(), {1})), "other");
    Handle const turned = create_dataset(file, "/t", big_endian.id(), {1});
    EXPECT_EQ(type_name(turned), "bfloat16");
    std::uint16_t const five = 0x40A0;
    write_rows(turned, 0, 1, bfloat16_type(), &five);
    std::vector<float> value(1);
    read_rows_as_float(turned, 0, 1, value);
    EXPECT_EQ(value[0], 5);
    for (char const* name : {"float32", "float16", "bfloat16", "uint8"})
        EXPECT_TRUE(is_exact_as_float(name)) << name;
    for (char const* name : {"float64", "int8", "int64", "other"})
        EXPECT_FALSE(is_exact_as_float(name)) << name;
}

TEST_F(Half, WhatWasNotWrittenIsNan) {
    Handle const file = create_file(mine());
    for (hid_t const type : {float16_type(), bfloat16_type()}) {
        std::vector<float> values(3);
        read_rows_as_float(create_dataset(file, type == float16_type() ? "/f" : "/b", type, {3}), 0, 3,
                           values);
        for (float const value : values)
            EXPECT_TRUE(std::isnan(value));
    }
}

// NumPy's float16 as h5py writes it
TEST_F(Half, Float16OfH5pyIsRead) {
    std::string const script = "import h5py, numpy as np; h5py.File('" + mine().string() +
                               "', 'w')['f'] = np.array([[1, -0.5], [65504, 6e-8]], 'float16')";
    if (std::system("/usr/bin/python3 -c 'import h5py' 2> /dev/null") != 0)
        GTEST_SKIP() << "no python3 with h5py";
    ASSERT_EQ(std::system(("/usr/bin/python3 -c \"" + script + "\"").c_str()), 0);
    Handle const file = open_to_read(mine());
    Handle const array = open_dataset(file, "/f");
    EXPECT_EQ(type_name(array), "float16");
    std::vector<float> values(4);
    read_rows_as_float(array, 0, 2, values);
    EXPECT_EQ(values, (std::vector<float>{1, -0.5F, 65504, 0x1p-24F}));
}

} // namespace
} // namespace assay::store
