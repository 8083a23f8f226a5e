//! From what a caller brings to what is compared.
#pragma once

#include "assay/usage/audit.hpp"

#include <limits>
#include <string>
#include <vector>

namespace assay::usage {

//! Fails as audit_usage() says.
void check_input(AuditInput const& input, AuditOptions const& options);

//! Rows in the order of their ids: sums and bootstrap draws must not depend on the order of the input.
AuditInput canonical(AuditInput const& input);

//! What is compared, the control with it.
struct Compared {
    AuditInput input;
    //! relative_spread(), where there are reference models
    double spread = std::numeric_limits<double>::quiet_NaN();
};

//! With reference models, residuals (calibrate()); of a ladder without, steps (steps_of()); else as it is.
Compared as_compared(AuditInput input);

//! Without the signals that are constant over the middle of the reference; their names go to `dropped`.
//! Error(data) if none is left.
AuditInput without_constant_signals(AuditInput input, std::vector<std::string>& dropped);

} // namespace assay::usage
