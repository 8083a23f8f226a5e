//! What can be wrong with partners, or with suspects for making them, before hours are spent.
#pragma once

#include "assay/data/choose.hpp"
#include "assay/data/view.hpp"

#include <array>
#include <filesystem>
#include <string>

namespace assay::app {

//! Columns of a file of partners, float32 [N, values]: suspect i redrawn, and that redrawn again. Of bytes as
//! shares of 255.
inline constexpr std::array kPartnerImages{"/partners/value", "/partners_2/value"};

//! Local. Error(data) for a sample of this rank's slice of the suspects with a value outside [0, 1], which no
//! generator redraws.
void check_unit_interval(data::View const& suspects, data::Slice const& mine);

//! Local. Error(data) unless the file holds partners, and theirs, of these suspects in their order, as
//! /samples/id and, where they are there, /samples/label and the root's attributes say; looked at in this
//! rank's slice.
void check_partner_file(std::filesystem::path const& path, data::View const& suspects,
                        data::Slice const& mine, std::string const& suspects_sha256);

} // namespace assay::app
