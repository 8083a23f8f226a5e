//! The contact sheet of a valuation.
#pragma once

#include "app/feature_spaces.hpp"
#include "app/job_run.hpp"

#include "assay/valuation/valuation.hpp"

namespace assay::app {

//! Root. Writes files.sheet(): some generated samples, one per class where there are classes, each beside its
//! nearest training samples and their shares of its credit; then the training samples with most and with
//! least credit. Does nothing where samples are no images. `results` holds the lists.
void write_valuation_sheet(JobRun const& run, Sides const& sides, std::filesystem::path const& results,
                           valuation::Valuation const& valuation);

} // namespace assay::app
