//! The header of a NumPy array file.
#pragma once

#include "data/input_file.hpp"

#include "assay/store/hdf5.hpp"

namespace assay::data {

struct NpyHeader {
    std::string type; //!< NumPy's descr, e.g. "<f4"
    store::Shape shape;
};

//! Reads format 1.0, 2.0 or 3.0 (numpy.lib.format) up to the first value. Error(data), naming the file, for
//! anything else, for Fortran order, structured types, and for a file whose size does not fit the shape.
NpyHeader read_npy_header(InputFile& file);

} // namespace assay::data
