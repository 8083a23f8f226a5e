//! Builds HDF5 files from the fuzzer's bytes: well-formed for the HDF5 library, wrong for us in every way
//! that a file can be. Damaged bytes are left to libhdf5's own tests.
#pragma once

#include "fuzz.hpp"

#include "assay/store/hdf5.hpp"

namespace assay::fuzz {

//! What a contract asks of one array; the recipe follows it or not, byte by byte.
struct Wanted {
    char const* name; //!< without the leading '/'
    hid_t type;
    store::Shape shape;
};

//! Puts something under wanted.name: most often what is wanted; else nothing, a group, a link, an array of
//! another type or shape, stored in another way, not written, or holding NaN, infinity, repeated or negative
//! numbers.
void add_array(store::Handle const& file, Bytes& bytes, Wanted const& wanted);
//! Gives an object an attribute: most often the string `wanted`; else none, another string, or no string.
void add_text(store::Handle const& file, Bytes& bytes, std::string const& object, char const* name,
              std::string const& wanted);

} // namespace assay::fuzz
