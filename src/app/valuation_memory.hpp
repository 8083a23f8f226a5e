//! How much memory a valuation job will take, said before it takes any.
#pragma once

#include "app/feature_spaces.hpp"

#include "assay/valuation/columns.hpp"

namespace assay::app {

//! What the need for memory grows with.
struct ValuationSize {
    valuation::Extent extent;
    std::uint64_t held_out = 0;     //!< samples
    std::uint64_t stored_width = 0; //!< values of a sample as it is stored
    Widths widths;                  //!< of the spaces
    bool pixel_baseline = false;    //!< are those searched as well?
    std::uint64_t subsets = 0;      //!< retrained models, known to root alone
};

//! Local. Bytes that this rank needs at most: for the slices of the matrices that are searched together, for
//! what principal components and cells of an approximate search are made of, and, on root, for the
//! reduction.
double memory_needed(JobRun const& run, ValuationSize const& size);

//! Collective. Error(usage), with the figure, if a rank needs more than valuation.memory, or than its share
//! of its host's memory.
void check_memory(JobRun const& run, ValuationSize const& size);

} // namespace assay::app
