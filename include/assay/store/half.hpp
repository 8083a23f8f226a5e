//! 16-bit floats, which feature arrays are often kept in: their HDF5 types, and rows widened to float32.
#pragma once

#include "assay/store/hdf5.hpp"

namespace assay::store {

//! IEEE 754 binary16 (what NumPy calls float16): 5 bits of exponent, 10 of mantissa. Not to be closed.
hid_t float16_type();
//! The upper half of a float32: 8 bits of exponent, 7 of mantissa. Not to be closed.
hid_t bfloat16_type();

//! The value of 16 such bits; exact.
float from_float16(std::uint16_t bits);
float from_bfloat16(std::uint16_t bits);

//! Can read_rows_as_float() read an array of this type_name()? They are "float32", "float16", "bfloat16" and
//! "uint8": those whose every value is a float32.
bool is_exact_as_float(std::string const& type_name);
//! Rows [begin, begin + count) of such an array as float32, bytes as 0..255; `out` holds count x row
//! elements. Independent.
void read_rows_as_float(Handle const& array, std::uint64_t begin, std::uint64_t count, std::span<float> out);

} // namespace assay::store
