//! Which construction of partners an audit rests on.
#pragma once

#include "assay/usage/audit.hpp"

#include <string>
#include <vector>

namespace assay::usage {

//! Local. Inputs that differ in partners, controls and what reference models say of them: the one whose
//! self-tests come nearest to the truth, by |none| + |all - 1| on average, among those that may be trusted
//! with a model that used nothing (none at most kLargestSelfTest); if no one may, the nearest of all, which
//! audit_usage() will refuse. Nothing of the target is looked at. Inputs without reference models do not take
//! part if others have them; if none has, the first is taken. One at least; Error as audit_usage().
AuditInput choose_partners(std::vector<AuditInput> inputs);

//! "redrawn: none 0.03, all 0.91; mixtures: none 0.01, all 0.20".
std::string in_words(std::vector<ConsideredPartners> const& considered);

} // namespace assay::usage
