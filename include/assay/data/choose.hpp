//! Random choices among a file's rows, the same on any number of ranks, in memory that does not grow with the
//! file (but for the bits of the choice).
#pragma once

#include "assay/comm/communicator.hpp"
#include "assay/data/dataset.hpp"
#include "assay/data/rows.hpp"

namespace assay::data {

//! A half-open range of rows.
struct Slice {
    std::uint64_t begin = 0, end = 0;
};

//! Local. This rank's share of `size` rows: consecutive, cut at multiples of 64.
Slice my_slice(comm::Communicator const& comm, std::uint64_t size);

//! Collective. Puts the rows in `among` into the order of keyed_order(ids, seed) and takes those at places
//! [begin, end) of it; 0 <= begin <= end <= among.size(). Choices with one seed are nested, and depend on the
//! ids alone. Every rank reads its slice of /ids, at most three times.
Rows choose_rows(comm::Communicator const& comm, Dataset const& dataset, Rows const& among,
                 std::uint64_t seed, std::uint64_t begin, std::uint64_t end);

//! Collective. Error(data) naming the smallest id that occurs twice and its first two rows. Ids meet on ranks
//! by their hash, in so many rounds that no rank holds more than 2^25 at a time.
void check_unique_ids(comm::Communicator const& comm, Dataset const& dataset);

} // namespace assay::data
