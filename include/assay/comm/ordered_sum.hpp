//! Sums whose bytes do not depend on the number of ranks.
#pragma once

#include "assay/comm/communicator.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace assay::comm {

//! Which rank computes part `part` of a sum: parts are dealt out in turn.
inline int owner_of_part(std::size_t part, Communicator const& comm) {
    return static_cast<int>(part % static_cast<std::size_t>(comm.size()));
}

//! Collective. The sum over parts 0..parts-1, added in part order, on every rank.
//! `mine` holds this rank's parts (those with owner_of_part() == rank, ascending), each of length `length`,
//! back to back. Each rank adds one segment of the vector, so traffic per rank is about parts/ranks + 1
//! vectors. MPI promises no order of additions in its own reductions, and none that survives another rank
//! count.
std::vector<float> ordered_sum(Communicator const& comm, std::span<float const> mine, std::size_t parts,
                               std::size_t length);
std::vector<double> ordered_sum(Communicator const& comm, std::span<double const> mine, std::size_t parts,
                                std::size_t length);

} // namespace assay::comm
