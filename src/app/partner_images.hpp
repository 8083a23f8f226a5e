//! Partners of the suspects that are images in a file of their own: redrawn by a generator, or brought along.
#pragma once

#include "app/job_run.hpp"
#include "assay/data/split.hpp"

#include <array>

namespace assay::app {

//! Columns of that file, float32 [N, values]: suspect i redrawn, and that redrawn again. Of bytes as shares
//! of 255.
inline constexpr std::array kPartnerImages{"/partners/value", "/partners_2/value"};
//! uint64 [N]: whose they are, as the suspects are ordered.
inline constexpr char const* kPartnerIds = "/samples/id";

//! dataset.partners, or what the job makes of them.
std::filesystem::path partner_file(JobRun const& run);

//! Collective. Error(usage) for suspects that the job's generator cannot take, Error(data) for suspects'
//! values that it cannot, or a file of partners that are not these suspects'.
void check_partner_images(JobRun const& run, data::Split const& split);

//! Collective. Unless the job names dataset.partners: trains its generator on the suspects (or loads
//! generator.file) and redraws them, twice, into run.files.partners(). What an unfinished run of the same job
//! left is gone on with under --resume. The same bytes on any number of ranks.
void make_partner_images(JobRun const& run, data::Split const& split, Inputs const& inputs);

//! Local. Appends the partners of suspects [begin, end), then those partners' partners, with the suspects'
//! ids and labels, as the suspects are stored. `samples` begins with these suspects; `file` is
//! partner_file(), open.
void append_partners(data::Samples& samples, data::View const& suspects, store::Handle const& file,
                     std::filesystem::path const& path, std::uint64_t begin, std::uint64_t end);

} // namespace assay::app
