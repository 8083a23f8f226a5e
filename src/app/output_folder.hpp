//! The folder a run writes into: one run at a time, nothing overwritten unasked.
#pragma once

#include "assay/comm/communicator.hpp"

#include <filesystem>
#include <utility>

namespace assay::app {

//! The run's files.
struct OutputFiles {
    std::filesystem::path folder;
    std::filesystem::path results() const { return folder / "results.h5"; }
    std::filesystem::path checkpoint() const { return folder / "target.ckpt"; }
};

//! Holds the folder's lock, the file .lock, from construction to destruction, which removes it (root only;
//! the kernel drops the lock, not the file, with a killed process).
class OutputLock {
  public:
    OutputLock() = default;
    //! Local. Error(usage) if another process holds it, Error(io) if the folder cannot be written to.
    explicit OutputLock(std::filesystem::path const& folder);
    OutputLock(OutputLock&& other) noexcept
        : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
    OutputLock& operator=(OutputLock&&) = delete;
    ~OutputLock();

  private:
    std::filesystem::path path_;
    int descriptor_ = -1;
};

//! Local. Error(io) if the folder cannot be made or written to; Error(usage) if `files` hold results, or an
//! unfinished run that neither resume nor overwrite speaks for.
void check_output(OutputFiles const& files, bool resume, bool overwrite);
//! Local. Removes what an earlier run left, for --overwrite.
void clear_output(OutputFiles const& files);

} // namespace assay::app
