//! Opening one array of a data set file and making sure that the file itself holds all of it.
#pragma once

#include "assay/store/hdf5.hpp"

#include <filesystem>
#include <string>

namespace assay::data {

//! Local. Opens /`name`; Error(data) if it is missing, a group, a link, or keeps its values in other files
//! (the file's SHA-256 must cover them), or is compressed by a filter that this HDF5 lacks.
store::Handle open_array(store::Handle const& file, std::filesystem::path const& path,
                         std::string const& name);

//! Local. Error(data) if part of the array was declared but never written: it would read as zeros.
void require_written(store::Handle const& array, std::filesystem::path const& path, std::string const& name);

} // namespace assay::data
