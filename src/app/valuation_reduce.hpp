//! From the lists in a results file to a valuation and its report; in a run and offline alike.
#pragma once

#include "assay/job/job.hpp"
#include "assay/report/valuation.hpp"

#include <filesystem>
#include <string>

namespace assay::app {

struct ReducedValuation {
    valuation::Valuation valuation;
    report::ValuationContext context;
};

//! Local (root). Reads and values a results file, finished or not. by_hand: it names no job, so that lists
//! shorter than valuation.k are taken as they are. The file is closed again when this returns.
ReducedValuation reduce_valuation(std::filesystem::path const& results, job::Job const& job,
                                  std::string const& name, bool by_hand = false);

//! Local (root). FOLDER/removal/{top,bottom,random}.h5, unless valuation.removal_share is 0.
void write_removal_lists(std::filesystem::path const& folder, ReducedValuation const& reduced,
                         job::Job const& job);

} // namespace assay::app
