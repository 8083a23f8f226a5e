//! Features that are in a file already: arrays that a user computed, and the samples themselves.
#pragma once

#include "assay/data/view.hpp"
#include "assay/valuation/features.hpp"

#include <filesystem>
#include <string>

namespace assay::valuation {

//! Where an array is: "features.h5:/train" in a job file.
struct ArrayAddress {
    std::filesystem::path file;
    std::string array; //!< absolute
};
//! Error(usage), naming the key, unless `text` is FILE:/ARRAY.
ArrayAddress parse_array_address(std::string const& key, std::string const& text);

//! What every row of features must be.
enum class RowCheck {
    finite,
    direction, //!< finite and not all zeros: what the cosine and L2 normalisation need
};

//! Local. The rows of an array [N, d] (axes after the first are flattened) that belong to the samples of a
//! view, N being all samples of the view's file: row i of the matrix is the view's sample i. float32,
//! float16, bfloat16, or uint8 as 0..255. Error(data), naming file and array, if it is missing, linked, not
//! written, of another type, or has another number of rows; what is read is checked, and the first bad row
//! named.
FeatureMatrix given_features(ArrayAddress const& address, data::View const& view, RowCheck check);

//! Local. The samples as they are stored, bytes as 0..255.
FeatureMatrix data_set_pixels(data::View const& view, RowCheck check);

//! Local. Error(data) naming both unless rows are of one width.
void require_same_width(FeatureMatrix const& a, FeatureMatrix const& b);

//! Local. Reads rows [begin, end) piece by piece, so that every bad one is found before the work begins;
//! `check` may look at each, with its number, and change it.
void check_features(FeatureMatrix const& features, std::uint64_t begin, std::uint64_t end,
                    std::function<void(std::span<float> row, std::uint64_t number)> const& check = {});

} // namespace assay::valuation
