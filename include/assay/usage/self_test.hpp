//! What calibration by reference models says where the truth is known: of the reference models themselves.
#pragma once

#include "assay/usage/calibrate.hpp"

#include <cstddef>
#include <span>
#include <string>

namespace assay::usage {

//! A reference model audited by means of the others, on the suspects that it was not trained on and on those
//! that it was: what would be said of models that used none, and all.
struct SelfTest {
    double none = 0;  //!< best bin of the unused: 0 is right
    double all = 0;   //!< best bin of the used: 1 is right
    double shift = 0; //!< mean score of the unused less their partners', in score units: 0 is right
};

//! A construction of partners and what it makes reference models look like, on average.
struct ConsideredPartners {
    std::string partners;
    SelfTest mean;
};

//! What an audit needs of self-tests, on average, to say anything: at most this much of models that used
//! none, at least that much of models that used all. With weaker reference models (0.90) targets that
//! memorise little passed for such as do, and got false bounds (docs/experiments/usage_zero.md).
inline constexpr double kLargestSelfTest = 0.1, kWeakestSelfTest = 0.92;

//! Local. Reference model `target` judged by the others; each side is an audit of its own, as if there were
//! no other suspects. Two at least must not have seen a suspect. All 0 if no signal has a spread.
SelfTest self_test(std::span<ReferenceModel const> references, std::size_t target);

//! Field by field; NaN of none.
SelfTest mean_of(std::span<SelfTest const> tests);

} // namespace assay::usage
