//! Are planted outliers without credit (C3)? Only for experiments whose truth is known: nothing here feeds a
//! value.
#pragma once

#include "assay/valuation/bootstrap.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace assay::valuation {

//! How well a score, low for outliers, tells them from the other rows.
struct OutlierDetection {
    double auroc = 0.5;  //!< P(other > outlier) + P(equal)/2
    Interval interval{}; //!< of the AUROC (DeLong et al. 1988), cut at 0 and 1; without width where it is
                         //!< 0 or 1
    double average_precision = 0; //!< outliers looked for from the lowest score up, equal ones all at once
    double precision =
        0; //!< share of outliers among as many lowest rows as there are outliers; ties by expectation
};

//! scores, is_outlier: [N], with both kinds among them.
OutlierDetection detect_outliers(std::span<double const> scores, std::span<std::uint8_t const> is_outlier,
                                 double confidence);

//! What C3 is computed from, one value per row.
struct RowScores {
    std::span<double const> credit, mean_distance;  //!< as in Valuation
    std::span<std::int64_t const> hits, pixel_hits; //!< the latter empty without lists in raw pixels
    std::span<std::uint64_t const> ids;
};

//! C3 beside what it is compared with.
struct OutlierScores {
    std::uint64_t outliers = 0, rows = 0;
    OutlierDetection credit;
    OutlierDetection tie_broken;            //!< by credit, equal ones by tie_broken_scores()
    OutlierDetection uniform;               //!< by hits: all rows of a list counting alike
    OutlierDetection random;                //!< by values drawn from (seed, id)
    std::optional<OutlierDetection> pixels; //!< by hits among the nearest rows in raw pixels
    double coverage = 0;                    //!< share c of the other rows that have credit
    std::uint64_t outliers_hit = 0;         //!< outliers that have credit
    double expected = 0;                    //!< (1 + c)/2: the AUROC if no outlier has any
};

//! Nothing if all rows are outliers, or none is.
std::optional<OutlierScores> score_outliers(RowScores const& scores, std::span<std::uint8_t const> is_outlier,
                                            double confidence, std::uint64_t seed);

} // namespace assay::valuation
