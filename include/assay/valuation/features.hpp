//! Feature matrices: where they come from does not matter to who reads them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace assay::valuation {

//! A matrix of features read by rows, from wherever it is kept.
struct FeatureMatrix {
    std::string name; //!< for messages
    std::uint64_t rows = 0, width = 0;
    std::function<void(std::uint64_t begin, std::uint64_t count, std::span<float> out)>
        read; //!< local; [count, width] row-major
};

} // namespace assay::valuation
