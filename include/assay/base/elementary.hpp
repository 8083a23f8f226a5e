//! exp and log from basic arithmetic alone, so that their bits depend neither on the C library nor on what
//! the processor offers (libm picks other code where there is a fused multiply-add).
#pragma once

namespace assay {

//! e^x within 2 units in the last place for x in [-708, 709]; 0 below, infinity above; NaN for NaN.
double portable_exp(double x);

//! Natural logarithm within 2 units in the last place (near 1: of 1e-16), for finite x > 0.
double portable_log(double x);

} // namespace assay
