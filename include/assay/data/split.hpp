//! Who plays which part in a job: suspects, non-members held out, and, where the job trains its target,
//! members and filler. Deterministic in the job's seed and the samples' ids.
#pragma once

#include "assay/data/view.hpp"
#include "assay/job/job.hpp"

#include <optional>

namespace assay::data {

//! The parts. Views are ascending in row, and those drawn from one file do not overlap.
struct Split {
    View suspects;
    std::optional<View> held_out;
    //! Truth, for jobs that train: [suspects], 1 where the target is trained on the sample. Sealed from
    //! estimators.
    std::vector<std::uint8_t> member;
    //! The training set: members and, topping them up, filler. Empty views for jobs that load a model.
    View members, filler;
    std::int64_t classes = 0;
};

//! Local (the same on every rank). Opens the job's data sets and draws the parts: suspects first, then
//! held-out samples, then filler; nested in their counts. Error(data) for a broken file, missing labels,
//! labels outside the classes, or samples that do not fit together; Error(usage) where a file holds too few
//! samples for what is asked.
Split make_split(job::Job const& job);

} // namespace assay::data
