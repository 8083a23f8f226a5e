//! Synthetic non-members without a generator: a ladder of mixtures. A suspect is mixed with a near suspect of
//! its class, the mixture with another, and so on; what a step does to a score shows on the upper rungs,
//! where no member can be (ladder.hpp).
#pragma once

#include "assay/data/view.hpp"
#include "assay/usage/ladder.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace assay::usage {

//! Who is mixed with whom: the kSteps nearest suspects of i's class, by squared difference of stored values,
//! the farthest of them last, the others in an order drawn from i's id; looked for among a group of 512 to
//! 1023 of the class that follow one another in the file (all of it, if there are fewer than 1024). Labels
//! and groups of one block of 2^20 suspects are in memory at a time, and the values of one group. Local; one
//! thread at a time.
class Neighbourhoods {
  public:
    Neighbourhoods(data::View const& suspects, std::uint64_t seed) : suspects_(&suspects), seed_(seed) {}

    //! Positions in the view.
    std::array<std::uint64_t, kSteps> of(std::uint64_t position);

    std::uint64_t blocks() const;
    //! Makes a block's groups. Error(data) for a class of which it has no more than kSteps suspects.
    void load(std::uint64_t block);

  private:
    using Group = std::vector<std::uint64_t>; // positions, ascending

    std::uint64_t begin_of(std::uint64_t block) const;
    void find_neighbours(Group const& group);

    data::View const* suspects_;
    std::uint64_t seed_;
    std::uint64_t begin_ = 0, end_ = 0; // of the block that is loaded
    std::vector<Group> groups_;
    std::vector<std::uint32_t> group_of_; // by position in the block
    std::vector<std::array<std::uint64_t, kSteps>>
        neighbours_; // the same; all the position itself: not found yet
};

//! Local. The samples that rungs are made of: suspects [begin, end), then their first neighbours, and so on.
data::Samples read_for_mixing(data::View const& suspects, Neighbourhoods& neighbourhoods, std::uint64_t begin,
                              std::uint64_t end);

//! From suspects and their neighbours, as read_for_mixing() reads them, to rungs with ids and labels of the
//! suspects: rung 0 is the suspect x, rung k the mean of rung k - 1 and the k-th neighbour. Bytes are rounded
//! up or down at random, drawn from the id.
void mix_rungs(std::span<data::Samples, kRungs> samples, data::DatasetInfo const& info, std::uint64_t seed);

} // namespace assay::usage
