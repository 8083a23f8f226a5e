//! The spaces in which a valuation job compares samples: read from files, or computed by a pass of their own.
#pragma once

#include "app/job_run.hpp"

#include "assay/data/view.hpp"
#include "assay/valuation/features.hpp"
#include "assay/valuation/given_features.hpp"

#include <optional>

namespace assay::app {

//! Whose samples are compared.
struct Sides {
    data::View training, generated;
    std::optional<data::View> held_out;
};

//! Their features in one space, of one width.
struct FeatureSpace {
    valuation::FeatureMatrix training, generated;
    std::optional<valuation::FeatureMatrix> held_out;
};

struct FeatureSpaces {
    FeatureSpace first;
    std::optional<FeatureSpace> second; //!< in which the nearest of the first are put in order again
};

//! Values of a sample in each space.
struct Widths {
    std::uint64_t first = 0, second = 0; //!< second: 0 without
};

//! What every row of the job's spaces must be: a direction, for the cosine and for rows scaled to length 1.
valuation::RowCheck row_check(job::Job const& job);

//! Local. Stored values, bytes as 0..255.
FeatureSpace pixel_space(Sides const& sides, valuation::RowCheck check);

//! Collective. Adds the identity of the files and models that features come from.
void add_feature_inputs(JobRun const& run, Inputs& inputs);

//! Collective. Finds what is wrong with given arrays, stored values, models and the number of components
//! before anything is computed, with whatever generated samples there are. Error(usage or data) naming
//! matrix and row for what cannot be compared.
Widths check_feature_spaces(JobRun const& run, Sides const& sides);

//! Collective, after check_feature_spaces(). The job's spaces. Principal components and models' features are
//! computed into files.features(), resumed there, and read from it. Rows are scaled as the job says.
//! Error(data) naming the sample whose computed features cannot be compared.
FeatureSpaces make_feature_spaces(JobRun const& run, Sides const& sides, Inputs const& inputs);

} // namespace assay::app
