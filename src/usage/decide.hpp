//! What may be said of an audit whose numbers are there.
#pragma once

#include "assay/usage/audit.hpp"

#include <cstddef>
#include <string>

namespace assay::usage {

//! Below, the 95 % band around a share is wider than +-0.1.
inline constexpr std::size_t kFewItems = 200;

struct Verdict {
    Status status = Status::no_evidence;
    std::string reason; //!< Audit::reason
    bool tested = true; //!< else neither p-value nor bound mean anything
};

//! Local. Reads all of `audit` but status, reason, lower_bound, p_value, fraction and interval.
Verdict decide(Audit const& audit);

} // namespace assay::usage
