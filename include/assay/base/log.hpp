//! Logging: one logger for the run (rank 0 speaks for all), to standard error; standard output is for
//! answers.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

namespace assay {

//! Local, after the rank is known. Rank 0 logs at the level of ASSAY_LOG (trace .. off; default info), other
//! ranks from warnings on, with their rank in the line; and all with `name` in it, where several groups of
//! ranks speak at once.
void init_log(int rank, std::string const& name = "");

} // namespace assay
