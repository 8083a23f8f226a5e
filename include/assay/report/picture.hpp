//! Pictures: samples as people see them, and PNG files.
#pragma once

#include "assay/data/dataset.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace assay::report {

using Colour = std::array<std::uint8_t, 3>; //!< red, green, blue

//! A rectangle of pixels.
struct Picture {
    std::size_t width = 0, height = 0;
    std::vector<Colour> pixels; //!< row by row from the upper left
};

//! Can samples be shown: is the layout NCHW?
bool are_pictures(data::DatasetInfo const& info);

//! Local. A sample [C, H, W] as data::Samples holds it: RGB where C = 3, else its first channel in grey.
//! Bytes are taken as they are; floats in [0, 1] too, and where a sample leaves that range (it was
//! normalised, say), its own smallest and largest values become black and white. Error(data) unless
//! are_pictures(info).
Picture picture_of(data::DatasetInfo const& info, std::span<std::byte const> sample);

//! Enlarged by a whole factor (pixels stay squares) to 96 or more on the longer side, or reduced by one
//! (means of squares) to 256 or less.
Picture resized_to_see(Picture const& picture);

//! Root. Writes a PNG file under a temporary name, makes it durable and renames it; if it is there with other
//! content, Error(usage) unless `overwrite`. Error(io) if it cannot be written.
void write_png(std::filesystem::path const& path, Picture const& picture, bool overwrite);

} // namespace assay::report
