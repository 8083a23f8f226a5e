//! Partners of the suspects that are images in a file of their own: redrawn by a generator, or brought along.
#pragma once

#include "app/job_run.hpp"
#include "app/partner_checks.hpp"
#include "assay/data/split.hpp"
#include "assay/model/torch.hpp"

namespace assay::app {

//! dataset.partners, or what the job makes of them.
std::filesystem::path partner_file(JobRun const& run);

//! Collective. Error(usage) for suspects that the job's generator cannot take, Error(data) for suspects'
//! values that it cannot, or a file of partners that are not these suspects' (`inputs` has their file's
//! hash).
void check_partner_images(JobRun const& run, data::Split const& split, Inputs const& inputs,
                          torch::Device device);

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
