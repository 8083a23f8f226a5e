//! Optional arrays of a data set file with a value, or a short row, for every sample (docs/data.md): groups,
//! attributes, quality, truth.
#pragma once

#include "assay/data/view.hpp"

#include <functional>
#include <string>
#include <vector>

namespace assay::data {

//! One such array, for the samples of a view. Copies share the open file.
template <class T>
struct SampleArray {
    std::string name;                 //!< for messages: "train.h5: /group"
    std::uint64_t width = 1;          //!< values per sample
    std::vector<std::string> columns; //!< what they are called, [width]; empty where the file does not say
    //! Local. The values at positions [begin, end) of the view, [end - begin, width] row-major; Error(data)
    //! naming the first bad sample among them and its value.
    std::function<std::vector<T>(std::uint64_t begin, std::uint64_t end)> read;
};

//! Local. Is there anything of that name? With or without the leading slash, as below.
bool has_sample_array(Dataset const& dataset, std::string const& name);

// Local. Error(data), naming file and array, if it is missing, linked, not written, of another type or shape,
// or has not one row per sample of the file

//! Which group (contributor, artist, …) each sample belongs to: any integers [N] up to 2^63 - 1.
SampleArray<std::int64_t> open_groups(View const& view, std::string const& name);
//! Properties that a sample has or has not: uint8 [N, a], 0 or 1. `columns` comes from the array's attribute
//! `names`, strings [a], none twice.
SampleArray<std::uint8_t> open_attributes(View const& view, std::string const& name = "/attributes");
//! How good a sample is, larger is better: floats [N], finite and not negative.
SampleArray<float> open_quality(View const& view, std::string const& name = "/quality");
//! Yes or no: uint8 [N], 0 or 1. Arrays under /truth are for the code that scores an estimate, and no other.
SampleArray<std::uint8_t> open_flags(View const& view, std::string const& name);

} // namespace assay::data
