//! PNG images, decoded by stb_image, and JPEG images, by libjpeg-turbo.
#pragma once

#include "assay/store/hdf5.hpp"

#include <cstddef>
#include <filesystem>
#include <span>

namespace assay::data {

//! By its extension: .png, .jpg or .jpeg, in any case.
bool is_image(std::filesystem::path const& path);
//! {C, H, W}, from the header alone: C is 1 (grey) or 3 (RGB). Error(data), naming the file, if it is
//! missing, no PNG or JPEG, has an alpha channel, more than 8 bits per channel or more than 2^24
//! pixels.
store::Shape image_shape(std::filesystem::path const& path);
//! Decodes into `out`, C planes of H x W. Error(data) as image_shape(), or if the shape is not `shape`, that
//! of the image `first`.
void read_image(std::filesystem::path const& path, store::Shape const& shape,
                std::filesystem::path const& first, std::span<std::byte> out);

} // namespace assay::data
