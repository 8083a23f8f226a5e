//! The answer in words and numbers: summary.json, the terminal table, the last line.
#pragma once

#include "assay/usage/audit.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace assay::report {

//! How an estimate compares with the truth of an experiment.
struct Truth {
    double fraction = 0;   //!< share of the suspects that the target was trained on
    double member_auc = 0; //!< members against reference, by the audit's score: how much the target memorised
};

//! Local. Reads /truth/member, where the file has it. Only reports call this; no estimator does.
std::optional<Truth> read_truth(std::filesystem::path const& results, usage::AuditInput const& input);

//! Everything that a script wants, with no clock and no host in it: the same file gives the same text.
nlohmann::ordered_json summary(std::string const& name, usage::Audit const& audit,
                               std::optional<Truth> const& truth);

//! For a person at a terminal: the numbers, then the assumptions they rest on.
std::string table(std::string const& name, usage::Audit const& audit, std::optional<Truth> const& truth);

//! The answer in one line.
std::string answer(usage::Audit const& audit);

//! Local. Writes summary.json into `folder`; if it is there with another content, Error(usage) unless
//! `overwrite`.
void write_summary(std::filesystem::path const& folder, nlohmann::ordered_json const& summary,
                   bool overwrite);

} // namespace assay::report
