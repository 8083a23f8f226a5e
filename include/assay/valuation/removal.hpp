//! Which training samples to leave out, for those who can train again: the test that credit must pass.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace assay::valuation {

//! [N] ranks by credit, equal credit by distance, nearer ones higher; the same rank where both are equal.
//! Rows in no list have distance NaN and rank below those that are.
std::vector<double> tie_broken_scores(std::span<double const> credit, std::span<double const> mean_distance);

//! Lists of ids, each ascending.
struct RemovalLists {
    double share = 0;                               //!< of all samples
    std::vector<std::uint64_t> top, bottom, random; //!< of equal size, share * N rounded
    //! Rows at the edge of `bottom` that are equal to rows beyond it: which of them are in the list is
    //! chance.
    std::uint64_t tied = 0;
};

//! The share of samples with most credit, with least, and drawn at random. Order: credit, then distance, then
//! a random number drawn from (seed, id), since rows in a file often stand class by class.
RemovalLists removal_lists(std::span<double const> credit, std::span<double const> mean_distance,
                           std::span<std::uint64_t const> ids, double share, std::uint64_t seed);

//! Local (root). Writes FOLDER/top.h5, bottom.h5 and random.h5, each with the ids as /exclude, uint64.
//! Replaces what is there.
void write_removal_lists(std::filesystem::path const& folder, RemovalLists const& lists);

} // namespace assay::valuation
