//! What the cells of a sweep found, side by side: sweep.h5, the table, and lds.h5.
#pragma once

#include "assay/job/sweep.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace assay::report {

//! "cell-0003": the folder of a cell within the sweep's.
std::string cell_name(std::size_t cell);

//! Rows are cells.
struct SweepTable {
    std::vector<std::uint8_t> complete; //!< [cells]
    //! By path in sweep.h5: every number that is an attribute of a group under /metrics of a cell's results
    //! ("/metrics/usage/fraction"), and how the cell compares with its truth ("/truth/fraction"); each
    //! [cells], NaN where a cell has none.
    std::map<std::string, std::vector<double>> numbers;
    //! The same for text; "" where a cell has none.
    std::map<std::string, std::vector<std::string>> texts;

    //! The number of a cell; NaN if there is none.
    double number(std::string const& path, std::size_t cell) const;
    std::string text(std::string const& path, std::size_t cell) const;
};

//! Local. Reads the results of the cells that are `complete` [cells] in the sweep's folder. Error(data)
//! naming a file that is damaged.
SweepTable read_cells(std::filesystem::path const& folder, job::Sweep const& sweep,
                      std::vector<std::uint8_t> complete);

//! Local. Writes FOLDER/sweep.h5 (docs/results.md), the same bytes for the same cells. Error(io).
void write_sweep(std::filesystem::path const& folder, job::Sweep const& sweep, SweepTable const& table);

//! For a person at a terminal, in Markdown: a row per cell with its key numbers; for usage jobs whose truth
//! is known, then errors and coverage per value of the first axis.
std::string sweep_table(job::Sweep const& sweep, SweepTable const& table);

//! Local. Writes FOLDER/lds.h5, the retraining outputs that `valuation.lds` of a valuation job reads: /masks
//! uint8 [M, N], 1 = cell's generator was trained on the sample; /outputs float64 [M, m], minus the loss of
//! the scored samples; /ids uint64 [N], /generated_ids uint64 [m]. All cells are complete jobs of kind
//! "generate" with generate.score. Returns false, and writes nothing, if they differ in their candidate or
//! their scored samples. Error(data) for a damaged file, Error(io).
bool write_lds(std::filesystem::path const& folder, job::Sweep const& sweep);

} // namespace assay::report
