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
    bool pixel_baseline = false;    //!< are stored values searched as well?
    std::uint64_t subsets = 0;      //!< retrained models, known to root alone
};

//! Local. Bytes that this rank needs at most, at its hungriest stage, and what would help there.
struct MemoryNeed {
    double bytes = 0;
    std::string stage, remedy;
};
MemoryNeed memory_needed(JobRun const& run, ValuationSize const& size);

//! Collective. Error(usage), with the figure, if a rank needs more than valuation.memory, or than its share
//! of its host's.
void check_memory(JobRun const& run, ValuationSize const& size);
//! Local. The same as a warning of root's: a check may run on fewer ranks than the job will.
void warn_of_memory(JobRun const& run, ValuationSize const& size);

} // namespace assay::app
