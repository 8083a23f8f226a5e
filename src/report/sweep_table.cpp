#include "assay/report/sweep.hpp"

#include "assay/base/error.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay::report {

namespace {

std::string shown(double value, bool with_sign = false) {
    if (!std::isfinite(value))
        return "-";
    return with_sign ? fmt::format("{:+.3f}", value) : fmt::format("{:.3f}", value);
}

std::string row(std::vector<std::string> const& entries) {
    return fmt::format("| {} |\n", fmt::join(entries, " | "));
}

std::string header(std::vector<std::string> const& names) {
    return row(names) + row(std::vector<std::string>(names.size(), "---"));
}

// A column of the table of cells
struct KeyNumber {
    std::string name;
    std::vector<std::string> paths; // one, or both ends of an interval
};

std::vector<KeyNumber> key_numbers(std::string const& kind) {
    if (kind == "usage")
        return {{"status", {"/metrics/usage/status"}},
                {"fraction", {"/metrics/usage/fraction"}},
                {"interval", {"/metrics/usage/interval_low", "/metrics/usage/interval_high"}},
                {"lower bound", {"/metrics/usage/lower_bound"}},
                {"true fraction", {"/truth/fraction"}},
                {"AUC of members", {"/truth/member_auc"}}};
    if (kind == "valuation")
        return {{"coverage", {"/metrics/valuation/coverage"}},
                {"C1", {"/metrics/valuation/identical_class_weighted"}},
                {"LDS", {"/metrics/valuation/lds"}}};
    return {};
}

std::string entry(SweepTable const& table, KeyNumber const& key, std::size_t cell) {
    if (table.texts.contains(key.paths.front()))
        return table.text(key.paths.front(), cell);
    double const value = table.number(key.paths.front(), cell);
    if (key.paths.size() == 1 || !std::isfinite(value))
        return shown(value);
    return fmt::format("[{}, {}]", shown(value), shown(table.number(key.paths.back(), cell)));
}

double mean(std::vector<double> const& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double spread(std::vector<double> const& values) {
    if (values.size() < 2)
        return std::nan("");
    double squares = 0;
    for (double const value : values)
        squares += (value - mean(values)) * (value - mean(values));
    return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

// "3 estimated, 1 unidentified", in the order met
std::string counted(std::vector<std::string> const& names) {
    std::vector<std::pair<std::string, int>> counts;
    for (std::string const& name : names) {
        auto known = std::ranges::find(counts, name, &std::pair<std::string, int>::first);
        ++(known == counts.end() ? counts.emplace_back(name, 0) : *known).second;
    }
    std::vector<std::string> texts;
    for (auto const& [name, count] : counts)
        texts.push_back(fmt::format("{} {}", count, name));
    return fmt::format("{}", fmt::join(texts, ", "));
}

// How usage jobs did against their truth
struct UsageScores {
    std::vector<double> aucs, said, errors, absolute, widths, bounds, unreported;
    std::vector<std::string> statuses;
    int covered = 0, bounded = 0;

    void add(SweepTable const& table, std::size_t cell) {
        auto const metric = [&](std::string const& name) {
            return table.number("/metrics/usage/" + name, cell);
        };
        auto const keep = [](std::vector<double>& values, double value) {
            if (std::isfinite(value))
                values.push_back(value);
        };
        double const truth = table.number("/truth/fraction", cell);
        statuses.push_back(table.text("/metrics/usage/status", cell));
        keep(aucs, table.number("/truth/member_auc", cell));
        // What the report says: nothing found is 0; a refusal says nothing and counts in no error
        double const answer = statuses.back() == "no evidence" ? 0 : metric("fraction");
        keep(said, answer);
        keep(errors, answer - truth);
        keep(absolute, std::abs(answer - truth));
        double const low = metric("interval_low"), high = metric("interval_high");
        keep(widths, high - low);
        covered += low <= truth && truth <= high;
        bounds.push_back(metric("lower_bound"));
        bounded += bounds.back() <= truth;
        keep(unreported, std::abs(metric("unreported_fraction") - truth));
    }

    std::string line(std::string const& name) const {
        return row({name, fmt::format("{}", statuses.size()), shown(mean(aucs)), counted(statuses),
                    shown(mean(said)), shown(mean(absolute)), shown(mean(errors), true),
                    shown(spread(errors)),
                    widths.empty() ? "-" : fmt::format("{}/{}", covered, widths.size()), shown(mean(widths)),
                    fmt::format("{} / {}", shown(mean(bounds)), shown(std::ranges::max(bounds))),
                    fmt::format("{}/{}", bounded, bounds.size()), shown(mean(unreported))});
    }
};

std::string usage_scores(job::Sweep const& sweep, SweepTable const& table) {
    std::vector<UsageScores> by_value(sweep.axes.front().values.size());
    UsageScores all;
    for (std::size_t cell = 0; cell < sweep.cells.size(); ++cell)
        if (std::isfinite(table.number("/truth/fraction", cell))) {
            by_value[cell * by_value.size() / sweep.cells.size()].add(table,
                                                                      cell); // the first axis is slowest
            all.add(table, cell);
        }
    if (all.statuses.empty())
        return "";
    std::string text =
        header({sweep.axes.front().key, "runs", "AUC members", "status", "mean said", "MAE", "bias", "sd",
                "coverage", "width", "bound mean / max", "bound <= p", "MAE without refusals"});
    for (std::size_t value = 0; value < by_value.size(); ++value)
        if (!by_value[value].statuses.empty())
            text += by_value[value].line(sweep.axes.front().values[value]);
    return text + all.line("all");
}

} // namespace

std::string sweep_table(job::Sweep const& sweep, SweepTable const& table) {
    std::string const& kind = sweep.cells.front().job.kind;
    std::vector<KeyNumber> const keys = key_numbers(kind);
    std::vector<std::string> names{"cell"};
    for (job::Axis const& axis : sweep.axes)
        names.push_back(axis.key);
    for (KeyNumber const& key : keys)
        names.push_back(key.name);
    std::string text = header(names);
    for (std::size_t cell = 0; cell < sweep.cells.size(); ++cell) {
        if (!table.complete[cell])
            continue;
        std::vector<std::string> entries{cell_name(cell)};
        for (std::size_t axis = 0; axis < sweep.axes.size(); ++axis)
            entries.push_back(sweep.value(cell, axis));
        for (KeyNumber const& key : keys)
            entries.push_back(entry(table, key, cell));
        text += row(entries);
    }
    if (std::string const scores = kind == "usage" ? usage_scores(sweep, table) : ""; !scores.empty())
        text += fmt::format("\n{}", scores);
    return text;
}

} // namespace assay::report
