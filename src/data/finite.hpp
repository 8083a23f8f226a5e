//! Search for values that are no numbers.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace assay::data {

//! Position and value of the first NaN or infinity.
struct NotFinite {
    std::size_t element;
    float value;
};

//! Looks through float32 values as stored; `bytes` need not be aligned.
std::optional<NotFinite> first_not_finite(std::span<std::byte const> bytes);

} // namespace assay::data
