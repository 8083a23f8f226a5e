//! Named moments at which a test breaks something.
#pragma once

namespace assay {

//! Does nothing. The test program assay_faulty is linked with another definition (tests/support/
//! fault_injector.cpp) that kills the process, fills the disk and so on when a run passes here; nothing is
//! compiled twice and nothing of it is in the installed program. Local. Names: docs/faults.md.
void fault_point(char const* name);

} // namespace assay
