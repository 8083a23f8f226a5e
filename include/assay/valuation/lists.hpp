//! Walking through neighbour lists.
#pragma once

#include "assay/valuation/neighbours.hpp"

#include <algorithm>
#include <memory>
#include <span>

namespace assay::valuation {

//! Calls visit(query, rows, distances) for every list from the first to the last; about 2^18 entries are in
//! memory at a time.
template <class Visit>
void for_each_list(NeighbourLists const& lists, Visit visit) {
    auto const k = static_cast<std::size_t>(lists.k);
    std::uint64_t const piece = std::max<std::uint64_t>(1, (1 << 18) / std::max<std::size_t>(1, k));
    for (std::uint64_t begin = 0; begin < lists.queries; begin += piece) {
        std::uint64_t const count = std::min(piece, lists.queries - begin);
        Neighbours const found = lists.read(begin, count);
        for (std::uint64_t j = 0; j < count; ++j)
            visit(begin + j, std::span(found.rows).subspan(j * k, k),
                  std::span(found.distances).subspan(j * k, k));
    }
}

//! Lists that are in memory.
inline NeighbourLists lists_of(Neighbours neighbours) {
    auto const all = std::make_shared<Neighbours const>(std::move(neighbours));
    auto const k = static_cast<std::size_t>(all->k);
    return {all->rows.size() / k, all->k, [all, k](std::uint64_t begin, std::uint64_t count) {
                auto const from = static_cast<std::ptrdiff_t>(begin * k);
                auto const to = static_cast<std::ptrdiff_t>((begin + count) * k);
                return Neighbours{all->k,
                                  {all->rows.begin() + from, all->rows.begin() + to},
                                  {all->distances.begin() + from, all->distances.begin() + to}};
            }};
}

} // namespace assay::valuation
