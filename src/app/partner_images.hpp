//! Partners that a generator makes of the suspects: images in a file of their own.
#pragma once

#include "app/job_run.hpp"
#include "assay/data/split.hpp"

#include <array>

namespace assay::app {

//! Columns of that file, float32 [N, values], between 0 and 1: suspect i redrawn, and that redrawn again.
inline constexpr std::array kPartnerImages{"/partners/value", "/partners_2/value"};

//! Collective. Error(usage) for suspects that the job's generator cannot take.
void check_partner_images(JobRun const& run, data::Split const& split);

//! Collective. Trains the job's generator on the suspects (or loads generator.file) and redraws them, twice:
//! run.files.partners(). What an unfinished run of the same job left is gone on with under --resume. The same
//! bytes on any number of ranks.
void make_partner_images(JobRun const& run, data::Split const& split, Inputs const& inputs);

//! Local. Suspects [begin, end), their partners, and the partners' partners, one after the other, ids and
//! labels repeated, as the suspects are stored. `file` is run.files.partners(), open.
data::Samples read_with_partners(data::View const& suspects, store::Handle const& file,
                                 std::filesystem::path const& path, std::uint64_t begin, std::uint64_t end);

} // namespace assay::app
