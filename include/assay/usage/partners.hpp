//! Synthetic non-members without a generator: mixtures of same-class suspects.
//! They score unlike true non-members wherever blending alone changes a score, hence the control in
//! columns.hpp.
#pragma once

#include "assay/data/view.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace assay::usage {

//! Who is mixed with whom: next[i] is another suspect of i's class; following it walks through the whole
//! class in an order drawn from the ids. Error(data) for a class of fewer than four suspects: a partner's
//! partner needs four.
std::vector<std::uint64_t> mixing_cycles(data::View const& suspects, std::uint64_t seed);

//! Suspects with what their partners are made of.
struct Mixed {
    data::Samples suspect; //!< x
    data::Samples partner; //!< v = (x + x1)/2
    data::Samples
        control; //!< w = (v + v')/2 with v' = (x2 + x3)/2: the same step taken from a certain non-member
};

//! Local, HDF5. The suspects at [begin, end), then their first, second and third successors: 4n rows.
data::Samples read_for_mixing(data::View const& suspects, std::span<std::uint64_t const> next,
                              std::uint64_t begin, std::uint64_t end);
//! Local, no HDF5. Bytes are rounded up or down at random, by (seed, id), so that mixing does not darken
//! images. All three carry the suspects' ids and labels.
Mixed mix(data::Samples const& read, data::DatasetInfo const& info, std::uint64_t seed);

} // namespace assay::usage
