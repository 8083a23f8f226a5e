//! What a usage job computes per sample, and into which columns.
#pragma once

#include "app/target.hpp"
#include "assay/pass/pass.hpp"
#include "assay/usage/signal_info.hpp"

namespace assay::app {

//! The signals that this job computes on this target. Error(usage) as usage::choose_signals.
std::vector<usage::SignalInfo> job_signals(job::Job const& job, data::Split const& split,
                                           Target const& target);

//! Suspects (with their mixtures, where those are the reference), then held-out samples; on the target, then
//! on each reference model. `images`: the file of make_partner_images(), where a generator
//! redraws the suspects. The sources refer to `split` and share the models; `split` must outlive them.
std::vector<pass::Source> usage_sources(job::Job const& job, data::Split const& split, Target const& target,
                                        std::vector<Model> const& references,
                                        std::filesystem::path const& images, torch::Device device);

//! Columns, ledger and metrics of the results file; root attributes are the caller's.
store::ResultLayout usage_layout(job::Job const& job, data::Split const& split,
                                 std::vector<usage::SignalInfo> const& signals, std::uint64_t shards);

//! Collective. Writes ids, labels and truth: known before the first sample is computed.
void write_known_columns(comm::Communicator const& comm, store::ResultFile& file, job::Job const& job,
                         data::Split const& split);

} // namespace assay::app
