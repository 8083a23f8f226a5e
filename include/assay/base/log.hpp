//! Logging: one logger for the run (rank 0 speaks for all), to standard error; standard output is for
//! answers.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

// In libfmt already. Else every file that logs would compile all of fmt's formatting once more, for seconds
extern template void fmt::detail::vformat_to<char>(buffer<char>&, string_view, format_args, locale_ref);

namespace assay {

//! Local, after the rank is known. Rank 0 logs at the level of ASSAY_LOG (trace .. off; default info), other
//! ranks from warnings on, with their rank in the line; and all with `name` in it, where several groups of
//! ranks speak at once.
void init_log(int rank, std::string const& name = "");

} // namespace assay
