//! Which rows of many: a sample that depends on the seed alone.
#pragma once

#include "assay/base/random.hpp"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace assay::valuation {

//! `count` of `total` rows, ascending: one from each of `count` equal stretches, so that no part of a sorted
//! file is missed; all rows if there are no more.
inline std::vector<std::uint64_t> draw_rows(std::uint64_t total, std::uint64_t count, std::uint64_t seed,
                                            std::string_view purpose) {
    count = std::min(count, total);
    std::vector<std::uint64_t> rows(count);
    for (std::uint64_t i = 0; i < count; ++i) {
        std::uint64_t const begin = total * i / count, end = total * (i + 1) / count;
        rows[i] = begin + Random(seed, purpose, i).below(end - begin);
    }
    return rows;
}

} // namespace assay::valuation
