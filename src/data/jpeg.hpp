//! JPEG images, decoded by libjpeg-turbo: the values are those that Pillow and torchvision give.
#pragma once

#include "assay/store/hdf5.hpp"

#include <cstddef>
#include <filesystem>
#include <vector>

namespace assay::data {

//! By its first bytes.
bool is_jpeg(std::filesystem::path const& path);
//! {C, H, W}, from the header: C is 1 (grey) or 3 (RGB). Error(data), naming the file, for a damaged header
//! and for CMYK.
store::Shape jpeg_shape(std::filesystem::path const& path);
//! H x W x C, the channels of a pixel side by side; `shape` as jpeg_shape() gave it. Error(data) if anything
//! is wrong with the file, even where a decoder could guess: what is cut off would be read as grey.
std::vector<std::byte> read_jpeg(std::filesystem::path const& path, store::Shape const& shape);

} // namespace assay::data
