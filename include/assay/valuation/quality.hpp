//! Two scores that look at one image alone. They measure what they are called, not how good an image looks to
//! people: noise is sharp and of high entropy. A learned score goes into the data set file as /quality.
#pragma once

#include "assay/data/view.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace assay::valuation {

// Local. A sample is as data::Samples holds it: [C, H, W] with C = 1 (grey) or 3 (RGB; its grey is ITU-R
// BT.601 luma, 0.299 R + 0.587 G + 0.114 B), bytes divided by 255, floats in [0, 1]. Error(data) for a float
// outside.
using ImageScore = double(data::DatasetInfo const& info, std::span<std::byte const> sample);

//! Variance of the Laplacian (up + down + left + right - 4 x centre) over all pixels but the border's,
//! divided by 16, the most that it can be: 0 for a constant image or a slope, 1 for a checkerboard of black
//! and white pixels. Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy: a comparative
//! study".
ImageScore sharpness;

//! Shannon entropy of the grey levels in bits, from a histogram of 256 bins: round(255 x grey). 0 for a
//! constant image, 8 where all levels are as frequent. Shannon 1948, "A mathematical theory of
//! communication".
ImageScore entropy;

//! Local. Error(data) unless the samples are images that a score can look at: layout NCHW, 1 or 3 channels,
//! at least 3x3 pixels.
void require_images(data::Dataset const& dataset);
//! Local. The score of each sample at positions [begin, end) of a view of images, which are all read at once;
//! Error(data) names the first that has none.
std::vector<float> score_images(data::View const& view, ImageScore score, std::uint64_t begin,
                                std::uint64_t end);

} // namespace assay::valuation
