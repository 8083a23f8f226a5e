//! Arrays of a data set file that have a row for every sample.
#pragma once

#include "assay/store/hdf5.hpp"

#include <filesystem>
#include <string>

namespace assay::data {

//! What such an array must be.
struct ColumnRule {
    std::string type;     //!< a store::type_name, or "integer" or "float" for all of that kind
    std::size_t axes = 1; //!< 1: [N], 2: [N, a]
};

//! Local. Opens the array at an absolute `name`; Error(data) unless the file itself holds all of it, it is as
//! the rule says and has `size` rows.
store::Handle open_column(store::Handle const& file, std::filesystem::path const& path,
                          std::string const& name, ColumnRule const& rule, std::uint64_t size);

} // namespace assay::data
