//! What may be said of an audit whose numbers are there.
#pragma once

#include "assay/usage/audit.hpp"

#include <cstddef>
#include <string>

namespace assay::usage {

//! Below, the 95 % band around a share is wider than +-0.1.
inline constexpr std::size_t kFewItems = 200;
//! Of Audit::regime_spread. About what a reference model has at half of its epochs (0.59 to 0.66 where that
//! was measured). Targets that memorise have 0.67 to 2.3; classifiers that were stopped early, augmented or
//! smoothed 0.24 to 0.61, and their unused suspects pass for used: bounds up to 0.16 at p = 0
//! (docs/experiments/usage_zero.md).
inline constexpr double kSmallestSpread = 0.65;

struct Verdict {
    Status status = Status::no_evidence;
    std::string reason; //!< Audit::reason
    bool tested = true; //!< Audit::tested
};

//! Local. All of `audit` but status, reason, tested, lower_bound, p_value, fraction and interval must be
//! filled in.
Verdict decide(Audit const& audit);

} // namespace assay::usage
