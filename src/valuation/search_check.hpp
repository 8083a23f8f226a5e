//! What a shortened search costs.
#pragma once

#include "valuation/collect.hpp"

namespace assay::valuation {

//! The lists of `reference.queries` among those of all, compared with the reference's.
SearchCheck check_search(ValuationInput const& input, SampledLists const& reference,
                         Splitting const& splitting);

} // namespace assay::valuation
