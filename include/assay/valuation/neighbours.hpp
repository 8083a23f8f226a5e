//! Lists of nearest rows.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace assay::valuation {

//! Neighbour lists of consecutive queries: row-major [n, k], each list ascending by (distance, row).
struct Neighbours {
    std::int64_t k = 0;
    std::vector<std::int64_t> rows;
    std::vector<double> distances;
};

//! Lists of all queries, read piece by piece.
struct NeighbourLists {
    std::uint64_t queries = 0;
    std::int64_t k = 0;
    std::function<Neighbours(std::uint64_t begin, std::uint64_t count)> read;
};

} // namespace assay::valuation
