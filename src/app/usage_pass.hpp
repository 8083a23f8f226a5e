//! What a usage job computes per sample, and into which columns.
#pragma once

#include "app/target.hpp"
#include "assay/pass/pass.hpp"
#include "assay/usage/signal_info.hpp"

namespace assay::app {

//! The signals that this job computes on this target. Error(usage) as usage::choose_signals.
std::vector<usage::SignalInfo> job_signals(job::Job const& job, data::Split const& split,
                                           Target const& target);

//! Suspects (with partners and their partners, where those are the reference), then held-out samples.
//! The sources refer to `split` and share the target; `split` must outlive them.
std::vector<pass::Source> usage_sources(job::Job const& job, data::Split const& split, Target const& target,
                                        torch::Device device);

//! Columns, ledger and metrics of the results file; root attributes are the caller's.
store::ResultLayout usage_layout(job::Job const& job, data::Split const& split,
                                 std::vector<usage::SignalInfo> const& signals, std::uint64_t shards);

//! Collective. Writes ids, labels and truth: known before the first sample is computed.
void write_known_columns(comm::Communicator const& comm, store::ResultFile& file, job::Job const& job,
                         data::Split const& split);

} // namespace assay::app
