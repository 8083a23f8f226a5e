//! Synthetic non-members without a generator: mixtures of same-class suspects.
//! They score unlike true non-members wherever blending alone changes a score, hence the control in
//! columns.hpp.
#pragma once

#include "assay/data/view.hpp"

#include <cstdint>
#include <vector>

namespace assay::usage {

//! Who is mixed with whom: next(i) is another suspect of i's class; following it walks, in an order drawn
//! from the ids, through the whole class among the 2^20 or more consecutive suspects that i belongs to. Only
//! one such block is in memory at a time. Local; one thread at a time.
class MixingCycles {
  public:
    MixingCycles(data::View const& suspects, std::uint64_t seed) : suspects_(&suspects), seed_(seed) {}

    std::uint64_t next(std::uint64_t position);

    std::uint64_t blocks() const;
    //! Makes a block's cycles. Error(data) for a class with fewer than four suspects in it: a partner's
    //! partner needs four.
    void load(std::uint64_t block);

  private:
    std::uint64_t begin_of(std::uint64_t block) const;

    data::View const* suspects_;
    std::uint64_t seed_;
    std::uint64_t begin_ = 0, end_ = 0; // of the block that is loaded
    std::vector<std::uint64_t> next_;
};

//! Suspects with what their partners are made of.
struct Mixed {
    data::Samples suspect; //!< x
    data::Samples partner; //!< v = (x + x1)/2
    data::Samples
        control; //!< w = (v + v')/2 with v' = (x2 + x3)/2: the same step taken from a certain non-member
};

//! Local, HDF5. The suspects at [begin, end), then their first, second and third successors: 4n rows.
data::Samples read_for_mixing(data::View const& suspects, MixingCycles& cycles, std::uint64_t begin,
                              std::uint64_t end);
//! Local, no HDF5. Bytes are rounded up or down at random, by (seed, id), so that mixing does not darken
//! images. All three carry the suspects' ids and labels.
Mixed mix(data::Samples const& read, data::DatasetInfo const& info, std::uint64_t seed);

} // namespace assay::usage
