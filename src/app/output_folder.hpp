//! The folder a run writes into: one run at a time, nothing overwritten unasked.
#pragma once

#include "assay/job/job.hpp"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace assay::app {

//! The run's files.
struct OutputFiles {
    std::filesystem::path folder;
    std::filesystem::path results() const { return folder / "results.h5"; }
    std::filesystem::path summary() const { return folder / "summary.json"; }
    std::filesystem::path checkpoint() const { return folder / "target.ckpt"; } //!< of a usage job's target
    std::filesystem::path references() const { return folder / "references"; }  //!< models, a folder
    std::filesystem::path reference(std::size_t number) const { return reference_in(references(), number); }
    static std::filesystem::path reference_in(std::filesystem::path const& folder, std::size_t number) {
        return folder / (std::to_string(number) + ".ckpt");
    }
    std::filesystem::path partners() const { return folder / "partners.h5"; } //!< images, of a usage job
    std::filesystem::path generator() const { return folder / "generator.ckpt"; }
    std::filesystem::path generation() const {
        return folder / "generation.h5";
    } //!< what a valuation job sampled
    std::filesystem::path generated() const { return folder / "generated.h5"; } //!< the same as a data set
    std::filesystem::path features() const { return folder / "features.h5"; }
    std::filesystem::path samples() const { return folder / "samples.png"; }
    std::filesystem::path sheet() const { return folder / "credit.png"; }
    std::filesystem::path removal() const { return folder / "removal"; } //!< a folder of id lists

    //! What a run that did not finish may have left.
    std::vector<std::filesystem::path> unfinished() const;
    //! What any run may leave, what must not outlive its results first.
    std::vector<std::filesystem::path> all() const;
};

//! The folder of a job's results: `asked`, else the job's output.directory, else runs/<name>.
OutputFiles output_of(job::Job const& job, std::filesystem::path const& asked);

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

//! Local. Error(usage) for a file that the job reads and the run itself writes, or removes.
void check_inputs_stay(OutputFiles const& files, job::Job job);
//! Local. Error(io) if the folder cannot be made or written to; Error(usage) if `files` hold results, or an
//! unfinished run that neither resume nor overwrite speaks for.
void check_output(OutputFiles const& files, bool resume, bool overwrite);
//! Local. Removes what an earlier run left, for --overwrite.
void clear_output(OutputFiles const& files);

} // namespace assay::app
