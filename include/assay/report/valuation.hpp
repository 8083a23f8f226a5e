//! A valuation in words and numbers: its part of summary.json, the terminal table, the last line.
#pragma once

#include "assay/valuation/outliers.hpp"
#include "assay/valuation/valuation.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace assay::report {

//! What a report says beside the valuation itself.
struct ValuationContext {
    std::string name;
    std::vector<std::uint64_t> ids, generated_ids;    //!< [N], [m]
    std::optional<valuation::OutlierScores> outliers; //!< C3, from read_outlier_scores()
};

//! Local. C3, where the file has /truth/ood, uint8 [N]. Only reports call this; no value rests on it.
std::optional<valuation::OutlierScores> read_outlier_scores(std::filesystem::path const& results,
                                                            valuation::Valuation const& valuation,
                                                            std::vector<std::uint64_t> const& ids);

//! Everything that a script wants, with no clock and no host in it; of rows and groups, those that are
//! listed.
nlohmann::ordered_json summary(valuation::Valuation const& valuation, ValuationContext const& context);

//! For a person at a terminal.
std::string table(valuation::Valuation const& valuation, ValuationContext const& context);

//! The answer in one line.
std::string answer(valuation::Valuation const& valuation);

} // namespace assay::report
