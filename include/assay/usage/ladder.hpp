//! What a ladder of mixtures says of membership. Mixing changes a score by itself; how much a step changes it
//! is seen where no member can be, one step higher, and two.
#pragma once

#include "assay/usage/signal_table.hpp"

#include <array>
#include <cstddef>

namespace assay::usage {

inline constexpr std::size_t kSteps = 4, kRungs = kSteps + 1;

//! Signals of the suspects and of their mixtures, [rung], rows alike.
using Rungs = std::array<SignalTable, kRungs>;

//! Two comparisons of steps. d_k is the change of a signal from rung k to rung k - 1.
struct Ladder {
    //! d_1, the step away from the suspects, in which membership shows ...
    SignalTable suspects;
    //! ... against d_2, moved and stretched as d_3 has to be to look like d_2: what d_1 is expected to be of
    //! suspects that were not used.
    SignalTable reference;
    //! The same one rung higher, where there is nothing to find.
    SignalTable control_suspects, control;
};

//! Local. A signal whose change has no spread at one of the rungs is passed on as it is.
Ladder steps_of(Rungs const& rungs);

} // namespace assay::usage
