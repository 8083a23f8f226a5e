//! Features that a pass computes: principal components, and what models make of samples.
#pragma once

#include "app/feature_spaces.hpp"

namespace assay::app {

// Columns of files.features(), float32 [rows, width] each: kFirstSpace/training, /generated and, where there
// are such samples, /held_out; the same in kSecondSpace for the second space
inline constexpr char const* kFirstSpace = "/features";
inline constexpr char const* kSecondSpace = "/second";

//! Does a space of this name need a pass?
bool is_computed(std::string const& space);

// Of the principal components: float64 [D] and [D, components]
inline constexpr char const* kPcaMean = "/pca/mean";
inline constexpr char const* kPcaBasis = "/pca/basis";

//! Collective. Computes what the job's spaces need into files.features(), going on with what an unfinished
//! run of the same job left there under --resume. Error(data) naming the sample whose features are not
//! finite, or all zero where a direction is needed.
void compute_features(JobRun const& run, Sides const& sides, Inputs const& inputs);

//! Collective. Finds what is wrong with the model, or the number of components, of one of the job's spaces
//! before anything is computed. Returns its width.
std::uint64_t check_computed(JobRun const& run, Sides const& sides, bool second);

} // namespace assay::app
