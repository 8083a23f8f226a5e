//! Between a results file and the fit: which columns the fit reads, and what it writes.
#pragma once

#include "assay/job/job.hpp"
#include "assay/store/result_file.hpp"
#include "assay/usage/audit.hpp"

#include <array>
#include <filesystem>

namespace assay::usage {

// Where columns stand in a results file. The reference is either true non-members or the suspects' partners
inline constexpr char const* kSuspectSignals = "/signals";
inline constexpr char const* kPartnerSignals = "/partners"; //!< row i: the synthetic partner of suspect i
inline constexpr char const* kControlSignals = "/controls"; //!< row i: the partner of that partner
//! The same two of partners that the job had redrawn.
inline constexpr std::array<char const*, 2> kRedrawnSignals{"/redrawn", "/redrawn_2"};
//! Rungs 1 to kSteps of a ladder; the first are partners.
inline constexpr std::array<char const*, kSteps> kRungSignals{kPartnerSignals, "/partners_2", "/partners_3",
                                                              "/partners_4"};
//! How partners were made, the first preferred where nothing tells which to take.
struct Construction {
    char const *name, *partners, *controls;
    bool ladder; //!< has further rungs
};
inline constexpr std::array kConstructions{
    Construction{"redrawn", kRedrawnSignals[0], kRedrawnSignals[1], false},
    Construction{"mixtures", kRungSignals[0], kRungSignals[1], true},
    Construction{"given", kPartnerSignals, kControlSignals, false}};
inline constexpr char const* kHeldOutSignals = "/held_out/signals";
inline constexpr char const* kMemberSignals = "/known_members/signals"; //!< of samples certainly used
inline constexpr char const* kSuspectIds = "/samples/id";
inline constexpr char const* kHeldOutIds = "/held_out/samples/id";
inline constexpr char const* kMemberIds = "/known_members/samples/id";
// Of reference model r; which suspects it was trained on is known
inline constexpr char const* kReferenceMember = "/member";
inline constexpr char const* kReferenceHeldOut = "/held_out";
//! "/references/R" + group, for kSuspectSignals, a partner and a control group of kConstructions, and the two
//! above.
inline std::string of_reference(std::size_t reference, std::string const& group) {
    return "/references/" + std::to_string(reference) + group;
}
inline constexpr char const* kMetrics = "/metrics/usage";

//! Local (root). Reads all that the fit needs, from assay's own files and from ones written by hand with only
//! /samples/id, /signals/* and /partners/* (or /held_out/...), and /known_members/... where there are some.
//! `reference` is job.usage.reference, `partners` job.usage.partners; of several constructions of partners
//! one is chosen (choose_partners()). A signal whose attribute larger_means says "non-member" is negated. Of
//! a side with more than `limit` rows (job.usage.fit_samples), about that many are drawn by their ids, so
//! that memory does not grow with the file. Error(data) naming file and column for anything missing, ragged
//! or ill-typed. Never reads /truth.
AuditInput read_columns(std::filesystem::path const& path, std::string const& reference, std::uint64_t limit,
                        std::string const& partners = "auto");

//! Local (root). The same for a job: the columns that take part in its score (unscored_signals() do not).
//! Error(usage) for a signal that the job names and the file lacks, or if none is left.
AuditInput read_columns(std::filesystem::path const& path, job::Job const& job);

//! The fit's options from a job.
AuditOptions audit_options(job::Job const& job);

//! Everything of an audit that goes into the file; names do not depend on the values.
store::Metrics metrics(Audit const& audit);

//! What the layout of a results file must announce for metrics().
void announce_metrics(store::ResultLayout& layout, std::int64_t bootstrap);

} // namespace assay::usage
