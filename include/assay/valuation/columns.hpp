//! Between a results file and the valuation: which columns it reads, and what it writes.
#pragma once

#include "assay/job/job.hpp"
#include "assay/store/result_file.hpp"
#include "assay/valuation/valuation.hpp"

#include <filesystem>
#include <string>

namespace assay::valuation {

// Where columns stand in a results file (docs/results.md)
inline constexpr char const* kTrainingIds = "/samples/id";
inline constexpr char const* kTrainingLabels = "/samples/label";
inline constexpr char const* kTrainingGroups = "/samples/group";
inline constexpr char const* kTrainingAttributes = "/samples/attribute";
inline constexpr char const* kGeneratedIds = "/generated/id";
inline constexpr char const* kGeneratedLabels = "/generated/label";
inline constexpr char const* kGeneratedAttributes = "/generated/attribute";
inline constexpr char const* kQuality = "/generated/quality";
inline constexpr char const* kNeighbours = "/neighbours";                  //!< row, distance: [m, k]
inline constexpr char const* kPixelNeighbours = "/pixel_neighbours";       //!< the same in raw pixels
inline constexpr char const* kToHeldOut = "/held_out_neighbours";          //!< held-out rows, [m, >= 1]
inline constexpr char const* kHeldOutToTraining = "/held_out_to_training"; //!< training rows, [h, >= 1]
inline constexpr char const* kToGenerated = "/generated_neighbours";       //!< generated samples, [N, >= 1]
inline constexpr char const* kExactNeighbours =
    "/exact_neighbours"; //!< of the generated samples `query`, [n, k]
inline constexpr char const* kDoubledNeighbours =
    "/doubled_neighbours"; //!< the same, from twice the candidates
inline constexpr char const* kValues = "/values";
inline constexpr char const* kMetrics = "/metrics/valuation";

//! Local (root). Reads what there is, from assay's own files and from ones written by hand with only
//! /samples/id, /generated/id, /neighbours/row and /neighbours/distance. Labels, groups and lists stay in the
//! file, lists until they are walked through. Error(data) naming file and column for anything missing,
//! ill-typed, of another length, never written, not finite, negative (quality), out of order (lists) or out
//! of range. Never reads /truth.
ValuationInput read_columns(std::filesystem::path const& path);

//! The reduction's options from a job.
ValuationOptions options_of(job::Job const& job);

//! Everything of a valuation that goes into the file: /values, its groups, and /metrics/valuation. Root.
std::vector<store::Metrics> metrics(Valuation const& valuation);

//! What the sizes of all that depend on, known before anything is computed.
struct Extent {
    std::uint64_t rows = 0, generated = 0; //!< N, m
    std::int64_t stored_k = 0;             //!< neighbours in a list
    std::uint64_t attributes = 0;          //!< a, 0: none
    //! How many different values the training samples have, -1 included; 0: none, or labels that are all -1.
    std::uint64_t labels = 0, groups = 0;
    std::uint64_t generated_labels = 0; //!< different values from 0 on; 0: none
};

//! Of an input.
Extent extent_of(ValuationInput const& input);

//! Adds to the layout of a results file what metrics() will write.
void announce(store::ResultLayout& layout, Extent const& extent, ValuationOptions const& options);

//! Local (root). Writes a small HDF5 file with the training samples' ids and /values, for a valuation whose
//! results file is not to be touched. Replaces what is there.
void write_values(std::filesystem::path const& path, Valuation const& valuation,
                  std::vector<std::uint64_t> const& ids);

} // namespace assay::valuation
