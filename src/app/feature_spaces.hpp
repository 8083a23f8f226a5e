//! The spaces in which a valuation job compares samples: read from files, or computed by a pass of their own.
#pragma once

#include "app/job_run.hpp"

#include "assay/data/view.hpp"
#include "assay/valuation/features.hpp"

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

//! Local. Stored values, bytes as 0..255.
FeatureSpace pixel_space(Sides const& sides);

//! Collective. Adds the identity of the files and models that features come from.
void add_feature_inputs(JobRun const& run, Inputs& inputs);

//! Collective. The job's spaces. Principal components and models' features are computed into
//! files.features(), resumed there, and read from it. Rows are normalised and rounded to features.storage as
//! the job says; every row of given arrays is checked first. Error(data) naming matrix and row for what
//! cannot be compared.
FeatureSpaces make_feature_spaces(JobRun const& run, Sides const& sides, Inputs const& inputs);

//! Collective. The same without computing: finds what is wrong with given arrays and models.
void check_feature_spaces(JobRun const& run, Sides const& sides);

} // namespace assay::app
