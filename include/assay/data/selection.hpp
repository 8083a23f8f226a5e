//! What every job asks of its data set files: that they go together, how many classes they have, a random
//! part.
#pragma once

#include "assay/comm/communicator.hpp"
#include "assay/data/view.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace assay::data {

//! Local. Error(data) unless the samples have the shape and type of those in `first`, and a label's number
//! the same name in both files.
void check_alike(Dataset const& dataset, Dataset const& first);

//! Collective. The number of classes: `wanted`, or, if that is 0, the largest label of the files + 1; files
//! without labels do not count, 0 if none has any. Error(data) naming file, row and label for one that is
//! negative or not below `wanted`.
std::int64_t count_classes(comm::Communicator const& comm, std::int64_t wanted,
                           std::span<std::shared_ptr<Dataset const> const> files);

//! Collective. `count` of the rows in `among`, chosen by `seed` and the samples' ids; 0: all of them. Nested
//! in count. Error(usage) naming the job's `key` where there are fewer.
Rows draw(comm::Communicator const& comm, Dataset const& dataset, Rows const& among, std::int64_t count,
          char const* key, std::uint64_t seed);

//! Local. The rows in `among` whose ids are not in /exclude (uint64 [n]) of the file at `path`. Error(data)
//! if that file is none, or names an id that is not in the data set.
Rows without_excluded(Dataset const& dataset, Rows const& among, std::filesystem::path const& path);

} // namespace assay::data
