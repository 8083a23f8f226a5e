//! Logging: one logger for the run (rank 0 speaks for all), to standard error; standard output is for
//! answers.
#pragma once

#include <spdlog/spdlog.h>

namespace assay {

//! Local, once, after the rank is known. Rank 0 logs at the level of ASSAY_LOG (trace .. off; default info),
//! other ranks from warnings on, with their rank in the line.
void init_log(int rank);

} // namespace assay
