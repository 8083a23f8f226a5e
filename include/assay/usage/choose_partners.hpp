//! Which construction of partners an audit rests on.
#pragma once

#include "assay/usage/audit.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace assay::usage {

//! Local. Which self-tests come nearest to the truth, by |none| + |all - 1|, among those that audit_usage()
//! accepts; else among those whose `none` it accepts, else of all: it will refuse these. The first of equals.
std::size_t nearest(std::span<ConsideredPartners const> considered);

//! Local. Inputs that differ in partners, controls and what reference models say of them: the one whose
//! self-tests are, on average, the nearest(). Nothing of the target is looked at. Inputs without reference
//! models do not take part if others have them; if none has, the first is taken. One at least; Error as
//! audit_usage().
AuditInput choose_partners(std::vector<AuditInput> inputs);

//! "redrawn: none 0.03, all 0.91; mixtures: none 0.01, all 0.20".
std::string in_words(std::vector<ConsideredPartners> const& considered);

} // namespace assay::usage
