//! Which searches a valuation job makes, in the order of the ledger.
#pragma once

#include "app/feature_spaces.hpp"

#include "assay/valuation/neighbour_pass.hpp"

#include <vector>

namespace assay::app {

//! Local. Length of the lists over so many rows: as long as criteria and later reductions may want them.
std::int64_t list_length(JobRun const& run, std::uint64_t rows);

//! Local. Are neighbours in stored values looked for beside those in the job's space?
bool has_pixel_baseline(JobRun const& run, Sides const& sides);

//! Local. The generated samples on which a search that is approximate, or ranks again, is checked; positions,
//! ascending.
std::vector<std::uint64_t> checked_queries(JobRun const& run, Sides const& sides);

//! Local. All of them.
std::vector<valuation::Search> searches_of(JobRun const& run, Sides const& sides,
                                           FeatureSpaces const& spaces);

//! Local. Queries that are searched for together: fewer where they are wide, or their lists long, so that
//! blocks stay small.
valuation::NeighbourOptions search_options(JobRun const& run, std::vector<valuation::Search> const& searches);

//! Announces what the searches write, and the numbers of checked queries.
void announce_searches(store::ResultLayout& layout, std::vector<valuation::Search> const& searches);
//! Collective. Writes those numbers.
void write_checked_queries(JobRun const& run, store::ResultFile& file, Sides const& sides,
                           std::vector<valuation::Search> const& searches);

} // namespace assay::app
