//! Who plays which part in a job: suspects, non-members held out, and, where the job trains its target,
//! members and filler. Deterministic in the job's seed and the samples' ids.
#pragma once

#include "assay/comm/communicator.hpp"
#include "assay/data/view.hpp"
#include "assay/job/job.hpp"

#include <optional>

namespace assay::data {

//! The parts. Views are ascending in row, and those drawn from one file do not overlap.
struct Split {
    View suspects;
    std::optional<View> held_out;
    //! The training set: members (suspects that the target is trained on) and, topping them up, filler. Empty
    //! views for jobs that load a model.
    View members, filler;
    //! Which suspects reference model r is trained on: r = 0 and 1 on the two halves of one random order, 2
    //! and 3 on those of another ...; all of them on the same filler besides (empty: none).
    std::vector<View> halves;
    View reference_filler;
    std::int64_t classes = 0;
};

//! Collective. Opens the job's data sets and draws the parts: suspects first, then held-out samples, then
//! filler, of the target and of the reference models; nested in their counts, and the same on any number of
//! ranks. Error(data) for a broken file, missing labels, labels outside the classes, or samples that do not
//! fit together; Error(usage) where a file holds too few samples for what is asked.
Split make_split(comm::Communicator const& comm, job::Job const& job);

//! Local. For suspects [begin, end): 1 where the sample is in `part`, a view of the same file. Of
//! split.members that is the truth of a job that trains, sealed from estimators.
std::vector<std::uint8_t> membership(Split const& split, View const& part, std::uint64_t begin,
                                     std::uint64_t end);

} // namespace assay::data
