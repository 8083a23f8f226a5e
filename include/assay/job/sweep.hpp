//! A grid of jobs in one file: the section [sweep] beside a job's own.
#pragma once

#include "assay/job/job.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace assay::job {

//! One key of the grid.
struct Axis {
    std::string key;                 //!< "model.train.usage_fraction"
    std::vector<std::string> values; //!< as TOML writes them: 0.25, 'a.h5', ['loss', 'margin']

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
        archive& key& values;
    }
};

//! Every element of the product of the axes is a cell.
struct Sweep {
    std::int64_t ranks_per_cell = 1;
    std::vector<Axis> axes; //!< the first changes slowest from cell to cell
    std::vector<Job> cells;

    //! The value that a cell has on an axis.
    std::string const& value(std::size_t cell, std::size_t axis) const;
    //! What makes a cell of the file's job: "section.key=value" for each axis.
    std::vector<std::string> overrides(std::size_t cell) const;

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
        archive& ranks_per_cell& axes& cells;
    }
};

//! Local (root, then broadcast). Reads a job file with [sweep]; every cell's job is read and checked as
//! read() and check() do. `--set` overrides change all cells, or the grid: "sweep.ranks_per_cell=4",
//! "sweep.grid.job.seed=[1, 2]". Error(usage) names key and value, and the cell where only that is wrong;
//! also for two cells of the same job.
Sweep read_sweep(std::filesystem::path const& path, std::vector<std::string> const& overrides = {});

//! The same from text; `origin` stands in messages for the file's name.
Sweep parse_sweep(std::string const& text, std::string const& origin,
                  std::vector<std::string> const& overrides = {});

} // namespace assay::job
