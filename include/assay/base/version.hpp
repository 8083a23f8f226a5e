//! Which build this is. The git fields are recomputed at each build.
#pragma once

#include <string>

namespace assay {

//! "0.1.0"
std::string version();
//! The commit's hash with "-dirty" where the tree had changes; "unknown" outside a git checkout.
std::string git_hash();

} // namespace assay
