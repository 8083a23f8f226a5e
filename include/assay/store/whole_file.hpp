//! Small HDF5 files that are there as a whole or not at all.
#pragma once

#include "assay/store/hdf5.hpp"

#include <filesystem>
#include <functional>

namespace assay::store {

//! Local. `fill` writes into PATH.new, which then replaces PATH, durably. If anything fails, PATH is as it
//! was; what HDF5 could not do is an Error(io) that names the file.
void write_whole_file(std::filesystem::path const& path, std::function<void(Handle const& file)> const& fill);

} // namespace assay::store
