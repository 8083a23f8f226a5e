//! Progress of a long loop: one updating line on a terminal, a line every half minute in a log file. Under
//! mpirun no rank sees the terminal; ASSAY_TERMINAL=1 in the environment says that there is one.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace assay::pass {

//! Root only; on other ranks construct it silent. Local.
class Progress {
  public:
    //! `what` is the unit counted ("samples"); `total` of them, `already` of which were done before.
    Progress(std::string what, std::uint64_t total, std::uint64_t already, bool silent);
    ~Progress();
    Progress(Progress const&) = delete;
    Progress& operator=(Progress const&) = delete;
    //! `done` of the total, those done before included.
    void update(std::uint64_t done);

  private:
    using Clock = std::chrono::steady_clock;
    std::string line(std::uint64_t done) const;

    std::string what_;
    std::uint64_t total_, already_;
    bool silent_, terminal_;
    Clock::time_point start_ = Clock::now(), shown_ = start_;
};

} // namespace assay::pass
