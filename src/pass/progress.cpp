#include "assay/pass/progress.hpp"

#include "assay/base/log.hpp"

#include <cstdio>
#include <cstdlib>

#include <unistd.h>

namespace assay::pass {

namespace {

std::string duration(double seconds) {
    auto const total = static_cast<std::int64_t>(seconds + 0.5);
    return total < 3600 ? fmt::format("{}:{:02}", total / 60, total % 60)
                        : fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
}

} // namespace

Progress::Progress(std::string what, std::uint64_t total, std::uint64_t already, bool silent)
    : what_(std::move(what)),
      total_(total),
      already_(already),
      silent_(silent || already >= total),
      terminal_(::isatty(STDERR_FILENO) == 1 || std::getenv("ASSAY_TERMINAL")) {}

Progress::~Progress() {
    if (!silent_ && terminal_)
        fmt::print(stderr, "\n");
}

std::string Progress::line(std::uint64_t done) const {
    double const seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    double const rate = static_cast<double>(done - already_) / std::max(seconds, 1e-9);
    return fmt::format("{}/{} {} ({:.0f} %), {:.1f}/s, {} left", done, total_, what_,
                       100.0 * static_cast<double>(done) / static_cast<double>(total_), rate,
                       duration(static_cast<double>(total_ - done) / std::max(rate, 1e-9)));
}

void Progress::update(std::uint64_t done) {
    auto const period = terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(30000);
    if (silent_ || (Clock::now() - shown_ < period && done < total_))
        return;
    shown_ = Clock::now();
    if (terminal_) {
        fmt::print(stderr, "\r{}\033[K", line(done));
        std::fflush(stderr);
    } else {
        spdlog::info("{}", line(done));
    }
}

} // namespace assay::pass
