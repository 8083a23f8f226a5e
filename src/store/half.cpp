#include "assay/store/half.hpp"

#include <array>
#include <bit>
#include <limits>

namespace assay::store {

namespace {

// A sign, `exponent` bits and `mantissa` bits, from the highest bit down
hid_t half_type(std::size_t exponent, std::size_t mantissa, std::size_t bias) {
    Handle type(H5Tcopy(H5T_NATIVE_FLOAT), "H5Tcopy");
    require(H5Tset_fields(type.id(), 15, mantissa, exponent, 0, mantissa), "H5Tset_fields");
    require(H5Tset_size(type.id(), sizeof(std::uint16_t)), "H5Tset_size");
    require(H5Tset_ebias(type.id(), bias), "H5Tset_ebias");
    require(H5Tlock(type.id()), "H5Tlock"); // lives as long as the library
    hid_t const id = type.id();
    type.abandon();
    return id;
}

} // namespace

hid_t float16_type() {
    static hid_t const type = half_type(5, 10, 15);
    return type;
}

hid_t bfloat16_type() {
    static hid_t const type = half_type(8, 7, 127);
    return type;
}

float from_float16(std::uint16_t bits) {
    std::uint32_t const exponent = bits >> 10 & 31U, mantissa = bits & 1023U;
    float magnitude = 0;
    if (exponent == 31)
        magnitude =
            mantissa ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
    else if (exponent == 0)
        magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    else
        magnitude = std::bit_cast<float>((exponent + 127 - 15) << 23 | mantissa << 13);
    return bits >> 15 ? -magnitude : magnitude;
}

float from_bfloat16(std::uint16_t bits) {
    return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

bool is_exact_as_float(std::string const& type_name) {
    constexpr std::array kTypes{"float32", "float16", "bfloat16", "uint8"};
    return std::ranges::find(kTypes, type_name) != kTypes.end();
}

void read_rows_as_float(Handle const& array, std::uint64_t begin, std::uint64_t count, std::span<float> out) {
    std::string const type = type_name(array);
    if (type == "float32" || type == "uint8")
        return read_rows(array, begin, count, native_type<float>(), out.data());
    // HDF5 converts these bit by bit, 20 times slower
    bool const ieee = type == "float16";
    std::vector<std::uint16_t> bits(out.size());
    read_rows(array, begin, count, ieee ? float16_type() : bfloat16_type(), bits.data());
    std::ranges::transform(bits, out.begin(), ieee ? from_float16 : from_bfloat16);
}

} // namespace assay::store
