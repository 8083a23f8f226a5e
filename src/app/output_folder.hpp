//! The folder a run writes into: one run at a time, nothing overwritten unasked.
#pragma once

#include "assay/comm/communicator.hpp"

#include <filesystem>

namespace assay::app {

//! The run's files.
struct OutputFiles {
    std::filesystem::path folder;
    std::filesystem::path results() const { return folder / "results.h5"; }
    std::filesystem::path checkpoint() const { return folder / "target.ckpt"; }
};

//! Holds the folder's lock from construction to destruction (root only; the kernel drops it with the
//! process).
class OutputLock {
  public:
    OutputLock() = default;
    //! Local. Error(usage) if another process holds it, Error(io) if the folder cannot be written to.
    explicit OutputLock(std::filesystem::path const& folder);
    OutputLock(OutputLock&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
    OutputLock& operator=(OutputLock&&) = delete;
    ~OutputLock();

  private:
    int descriptor_ = -1;
};

//! Local. Error(io) if the folder cannot be made or written to; Error(usage) if `files` hold results, or an
//! unfinished run that neither resume nor overwrite speaks for.
void check_output(OutputFiles const& files, bool resume, bool overwrite);
//! Local. Removes what an earlier run left, for --overwrite.
void clear_output(OutputFiles const& files);

} // namespace assay::app
