//! Stop requests: SIGTERM and SIGUSR1 ask for a clean stop with the state saved.
#pragma once

namespace assay {

//! Local, before MPI_Init, so that an early signal does not kill the process.
void watch_for_stop();
//! Local. Has this process been asked to stop? Ranks must agree on the answer before acting on it.
bool stop_requested();

} // namespace assay
