//! The one error type of assay and the exit codes a batch system sees.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace assay {

//! Process exit codes (sysexits.h where it has one).
enum class Exit : int {
    done = 0,
    usage = 64,    //!< wrong command line, job file, launch, or an output that exists: fix the request
    data = 65,     //!< a data set, model or results file is invalid: fix the input
    internal = 70, //!< a bug, memory that ran out, or a restart without progress
    io = 74,       //!< reading or writing failed: disk full, no permission
    stopped = 75,  //!< stopped on a signal with its state saved: run again with --resume
};

//! A failure with the exit code it deserves.
//! The message is one line: problem (why it is one). What to do - with the file, key or sample and the value.
class Error : public std::runtime_error {
  public:
    Error(Exit code, std::string const& message) : std::runtime_error(message), code_(code) {}
    Exit code() const { return code_; }

  private:
    Exit code_;
};

//! Throw an Error with a formatted message. Local: on one rank of many, wrap it in comm::agree().
template <class... Args>
[[noreturn]] void fail(Exit code, fmt::format_string<Args...> format, Args&&... args) {
    throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

} // namespace assay
