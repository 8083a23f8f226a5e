#include "assay/job/sweep.hpp"

#include "assay/base/error.hpp"
#include "assay/job/job_file.hpp"
#include "job/table.hpp"

#include <algorithm>
#include <map>

namespace assay::job {

namespace {

constexpr std::size_t kMostCells = 100000;
constexpr std::string_view kSection = "sweep.", kGrid = "sweep.grid.";

// What is decided once for all cells, or names their folders
void check_key(std::string const& key) {
    if (key.find('.') == std::string::npos)
        fail(Exit::usage, "sweep.grid.{} (not section.key). Example: \"job.seed\" = [1, 2]", key);
    for (char const* fixed : {"compute.device", "compute.threads", "job.kind", "job.name"})
        if (key == fixed)
            fail(Exit::usage, "sweep.grid.\"{}\" (is the same for all cells of a sweep). Remove it", key);
    if (key.starts_with("output."))
        fail(Exit::usage, "sweep.grid.\"{}\" (changes no result; cells have folders of their own). Remove it",
             key);
}

Axis to_axis(std::string const& key, toml::node const& node) {
    if (node.is_table())
        fail(Exit::usage,
             "sweep.grid.{} is a table (a key of the grid is one word). Quote it: \"{}.…\" = […]", key, key);
    check_key(key);
    if (!node.is_array() || node.as_array()->empty())
        fail(Exit::usage, "sweep.grid.\"{}\"={} (must be an array of one value or more). Change it", key,
             literal(node));
    Axis axis{key, {}};
    for (toml::node const& value : *node.as_array())
        axis.values.push_back(literal(value));
    return axis;
}

std::int64_t to_ranks(toml::node const& node) {
    auto const ranks = node.is_integer() ? node.ref<std::int64_t>() : 0;
    if (ranks < 1)
        fail(Exit::usage, "sweep.ranks_per_cell={} (must be a whole number, at least 1). Change it",
             literal(node));
    return ranks;
}

// Tables keep their keys in byte order; where their values stand in the file tells the order there
std::vector<Axis> axes_of(toml::table const& grid) {
    std::vector<std::pair<toml::source_position, Axis>> found;
    for (auto const& [key, node] : grid)
        found.emplace_back(node.source().begin, to_axis(std::string(key.str()), node));
    std::ranges::stable_sort(found, [](auto const& a, auto const& b) { return a.first < b.first; });
    std::vector<Axis> axes;
    for (auto& [place, axis] : found)
        axes.push_back(std::move(axis));
    return axes;
}

// Axes and ranks as the file says
Sweep sweep_of(toml::table const& root) {
    Sweep sweep;
    toml::node const* const section = root.get("sweep");
    if (section && !section->is_table())
        fail(Exit::usage, "sweep={} (must be a section). Write [sweep.grid]", literal(*section));
    if (!section)
        return sweep;
    for (auto const& [key, node] : *section->as_table())
        if (key.str() == "ranks_per_cell")
            sweep.ranks_per_cell = to_ranks(node);
        else if (key.str() == "grid" && node.is_table())
            sweep.axes = axes_of(*node.as_table());
        else
            fail(Exit::usage,
                 "unknown key sweep.{} in the job. There are sweep.ranks_per_cell and the section "
                 "[sweep.grid]",
                 key.str());
    return sweep;
}

// --set sweep.…=…
void override_sweep(Sweep& sweep, std::string const& text) {
    Override const parsed = parse_override(text);
    toml::node const& value = *parsed.value.get("value");
    if (parsed.key == "sweep.ranks_per_cell") {
        sweep.ranks_per_cell = to_ranks(value);
        return;
    }
    if (!parsed.key.starts_with(kGrid))
        fail(Exit::usage, "--set {} (unknown). There are sweep.ranks_per_cell and sweep.grid.KEY=[…]", text);
    Axis axis = to_axis(parsed.key.substr(kGrid.size()), value);
    auto const same = std::ranges::find(sweep.axes, axis.key, &Axis::key);
    if (same != sweep.axes.end())
        *same = std::move(axis);
    else
        sweep.axes.push_back(std::move(axis));
}

std::size_t count_cells(Sweep const& sweep, std::string const& origin) {
    if (sweep.axes.empty())
        fail(Exit::usage, "{}: no keys in [sweep.grid] (nothing to sweep over). Add some, or use `assay run`",
             origin);
    std::size_t cells = 1;
    for (Axis const& axis : sweep.axes) {
        cells *= axis.values.size();
        if (cells > kMostCells)
            fail(Exit::usage, "{}: more than {} cells in [sweep.grid]. Split the sweep", origin, kMostCells);
    }
    return cells;
}

Job cell_of(toml::table const& root, Sweep const& sweep, std::size_t cell) {
    std::vector<std::string> const overrides = sweep.overrides(cell);
    try {
        toml::table table = root;
        for (std::string const& text : overrides)
            apply(table, text);
        Job job = job_from(table);
        check(job);
        return job;
    } catch (Error const& error) {
        fail(error.code(), "cell {} ({}): {}", cell, fmt::join(overrides, ", "), error.what());
    }
}

} // namespace

std::string const& Sweep::value(std::size_t cell, std::size_t axis) const {
    std::size_t faster = 1; // cells that pass before this axis moves on
    for (std::size_t a = axis + 1; a < axes.size(); ++a)
        faster *= axes[a].values.size();
    return axes[axis].values[cell / faster % axes[axis].values.size()];
}

std::vector<std::string> Sweep::overrides(std::size_t cell) const {
    std::vector<std::string> texts;
    for (std::size_t axis = 0; axis < axes.size(); ++axis)
        texts.push_back(axes[axis].key + "=" + value(cell, axis));
    return texts;
}

Sweep parse_sweep(std::string const& text, std::string const& origin,
                  std::vector<std::string> const& overrides) {
    toml::table root = parse_table(text, origin);
    Sweep sweep = sweep_of(root);
    root.erase("sweep");
    for (std::string const& text_of_override : overrides)
        if (text_of_override.starts_with(kSection))
            override_sweep(sweep, text_of_override);
        else
            apply(root, text_of_override);
    for (std::string const& text_of_override : overrides)
        for (Axis const& axis : sweep.axes)
            if (text_of_override.starts_with(axis.key + "="))
                fail(Exit::usage, "--set {} (the key is in the grid). Use --set sweep.grid.{}=[…]",
                     text_of_override, axis.key);
    std::size_t const cells = count_cells(sweep, origin);
    std::map<std::string, std::size_t> seen;
    for (std::size_t cell = 0; cell < cells; ++cell) {
        sweep.cells.push_back(cell_of(root, sweep, cell));
        auto const [first, is_new] = seen.try_emplace(hash(sweep.cells.back()), cell);
        if (!is_new)
            fail(Exit::usage, "cells {} and {} of the sweep are the same job ({}). Remove one of the values",
                 first->second, cell, fmt::join(sweep.overrides(cell), ", "));
    }
    return sweep;
}

Sweep read_sweep(std::filesystem::path const& path, std::vector<std::string> const& overrides) {
    return parse_sweep(read_text(path), path.string(), overrides);
}

} // namespace assay::job
