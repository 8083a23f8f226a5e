//! What can be wrong with partners, or with suspects for making them, before hours are spent.
#pragma once

#include "assay/data/choose.hpp"
#include "assay/data/view.hpp"

#include <filesystem>

namespace assay::app {

//! Local. Error(data) for a sample of this rank's slice of the suspects with a value outside [0, 1], which no
//! generator redraws.
void check_unit_interval(data::View const& suspects, data::Slice const& mine);

//! Local. Error(data) unless the file holds partners, and theirs, of these suspects in their order; values
//! are looked at in this rank's slice.
void check_partner_file(std::filesystem::path const& path, data::View const& suspects,
                        data::Slice const& mine);

} // namespace assay::app
