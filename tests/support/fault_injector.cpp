// The fault_point() of the test program assay_faulty: when rank ASSAY_FAULT_RANK (0 if unset) passes the
// point ASSAY_FAULT_POINT for the ASSAY_FAULT_COUNT-th time (1 if unset), it runs the shell command
// ASSAY_FAULT_COMMAND and waits for it. $PPID is that rank. So what breaks is real and outside of the
// program:
//   ASSAY_FAULT_POINT=mark ASSAY_FAULT_COUNT=3 ASSAY_FAULT_COMMAND='kill -9 $PPID' assay_faulty run job.toml
#include "assay/base/fault.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <string>

namespace assay {

namespace {

std::string setting(char const* name, std::string const& otherwise) {
    char const* const value = std::getenv(name);
    return value ? value : otherwise;
}

} // namespace

void fault_point(char const* name) {
    static std::string const point = setting("ASSAY_FAULT_POINT", "");
    static int left = std::stoi(setting("ASSAY_FAULT_COUNT", "1"));
    // The launcher tells each rank its number; without one there is rank 0 alone
    static bool const mine = setting("OMPI_COMM_WORLD_RANK", "0") == setting("ASSAY_FAULT_RANK", "0");
    if (!mine || point != name || --left != 0)
        return;
    // Its output goes nowhere: a command that outlives this rank must not hold the launcher's pipes open
    std::string const command = fmt::format("({}) >/dev/null 2>&1", setting("ASSAY_FAULT_COMMAND", "exit 1"));
    if (std::system(command.c_str()) != 0)
        std::abort(); // a fault that did not happen must not look like one survived
}

} // namespace assay
