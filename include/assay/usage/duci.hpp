//! The reference-based baseline: dataset usage cardinality inference (DUCI, Tong et al. 2025, ICLR), and two
//! simpler relatives. All rest on models trained by this job like the target, so far as that is known, on
//! known halves of the suspects, and on held-out samples. They stand beside the answer and decide nothing:
//! references of another recipe than the target's make them confidently wrong.
#pragma once

#include "assay/usage/known_members.hpp"
#include "assay/usage/signal_table.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace assay::usage {

//! What one model says of the suspects and of held-out samples; `loss` (log probability of the label) must be
//! among the signals.
struct ModelView {
    SignalTable suspects, held_out;
};

struct DuciInput {
    ModelView target;
    //! Pairs trained on complementary halves, 0 and 1, 2 and 3 ...; at least two pairs.
    std::vector<ModelView> references;
    std::vector<std::vector<std::uint8_t>> member; //!< [R][n] 1: reference r was trained on the suspect
};

struct Duci {
    //! RMIA (Zarifzadeh et al. 2024) scores, threshold and rates from reference models each judged by the
    //! other pairs, corrected count, averaged over leaving out each pair. None where members cannot be told.
    std::optional<AdjustedCount> rmia;
    double offset = 0;          //!< RMIA's a, in 0.1 ... 1, that tells the references' members best
    double reference_auc = 0.5; //!< how well, pooled over references
    //! The same with likelihood-ratio scores (LiRA on-line, Carlini et al. 2022) on `logit` where that is a
    //! signal, else `loss`.
    std::optional<AdjustedCount> lira;
    //! (mean loss of suspects unused by references - the target's) / (unused - used); none where the
    //! references show no difference.
    std::optional<double> loss_regression;
    //! Where the target's means over the held-out samples lie outside the references', two standard errors
    //! allowed: "loss -0.41 (references -0.71 to -0.65)". Empty: nowhere; necessary for a match, not
    //! sufficient.
    std::vector<std::string> mismatch;
};

//! Average probability of a sample over models that have and have not seen it, from the mean over those that
//! have not: ((1 + a) out + (1 - a))/2.
double rmia_average(double out, double a);

//! What a model that has seen a sample would say had it not: (in + a - 1)/a, in [1e-6, 1]; a > 0.
double rmia_out(double in, double a);

//! Error(data) without `loss`, or for tables that do not fit together. Local.
Duci duci(DuciInput const& input);

} // namespace assay::usage
