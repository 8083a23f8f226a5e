#include "assay/report/sweep.hpp"

#include "assay/base/error.hpp"
#include "assay/base/version.hpp"
#include "assay/report/summary.hpp"
#include "assay/store/array.hpp"
#include "assay/store/whole_file.hpp"
#include "assay/usage/columns.hpp"

#include <charconv>
#include <functional>
#include <limits>
#include <optional>

namespace assay::report {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void for_each_group(store::Handle const& file, std::string const& group,
                    std::function<void(std::string const&)> const& visit) {
    visit(group);
    for (std::string const& name : store::names_in(file, group))
        if (std::string const path = group + "/" + name; store::is_group(file, path))
            for_each_group(file, path, visit);
}

void set(SweepTable& table, std::size_t cell, std::string const& path, double value) {
    auto [column, is_new] = table.numbers.try_emplace(path);
    if (is_new)
        column->second.assign(table.complete.size(), kNaN);
    column->second[cell] = value;
}

void set(SweepTable& table, std::size_t cell, std::string const& path, std::string const& value) {
    auto [column, is_new] = table.texts.try_emplace(path);
    if (is_new)
        column->second.resize(table.complete.size());
    column->second[cell] = value;
}

void read_metrics(SweepTable& table, std::size_t cell, store::Handle const& file) {
    if (!store::exists(file, "/metrics"))
        return;
    for_each_group(file, "/metrics", [&](std::string const& group) {
        for (std::string const& name : store::attribute_names(file, group)) {
            if (std::optional<double> const number = store::read_real(file, group, name))
                set(table, cell, group + "/" + name, *number);
            else if (std::optional<std::string> const text = store::read_string(file, group, name))
                set(table, cell, group + "/" + name, *text);
        }
    });
}

void read_usage_truth(SweepTable& table, std::size_t cell, std::filesystem::path const& results,
                      job::Job const& job) {
    if (!store::exists(store::open_to_read(results), "/truth/member"))
        return;
    std::optional<Truth> const truth = read_truth(results, usage::read_columns(results, job));
    set(table, cell, "/truth/fraction", truth->fraction);
    set(table, cell, "/truth/member_auc", truth->member_auc);
}

// All values of an axis as numbers of one type, if they are
template <class T>
std::optional<std::vector<T>> as_numbers(job::Axis const& axis) {
    std::vector<T> numbers;
    for (std::string const& text : axis.values) {
        T number{};
        auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (problem != std::errc() || end != text.data() + text.size())
            return std::nullopt;
        numbers.push_back(number);
    }
    return numbers;
}

// Without the quotes of a plain string
std::string bare(std::string const& literal) {
    bool const plain = literal.size() >= 2 && literal.front() == literal.back() &&
                       (literal.front() == '"' || literal.front() == '\'') &&
                       literal.find('\\') == std::string::npos;
    return plain ? literal.substr(1, literal.size() - 2) : literal;
}

template <class T>
void write_column(store::Handle const& file, std::string const& path, std::vector<T> const& values) {
    store::Handle const column = store::create_dataset(file, path, store::native_type<T>(), {values.size()});
    store::write_rows(column, 0, values.size(), store::native_type<T>(), values.data());
}

void write_axis(store::Handle const& file, job::Sweep const& sweep, std::size_t axis) {
    std::string const path = "/axes/" + sweep.axes[axis].key;
    std::vector<std::string> texts;
    for (std::size_t cell = 0; cell < sweep.cells.size(); ++cell)
        texts.push_back(sweep.value(cell, axis));
    job::Axis const column{sweep.axes[axis].key, texts};
    if (auto const whole = as_numbers<std::int64_t>(column))
        return write_column(file, path, *whole);
    if (auto const real = as_numbers<double>(column))
        return write_column(file, path, *real);
    for (std::string& text : texts)
        text = bare(text);
    store::write_strings(file, path, texts);
}

} // namespace

std::string cell_name(std::size_t cell) {
    return fmt::format("cell-{:04}", cell);
}

double SweepTable::number(std::string const& path, std::size_t cell) const {
    auto const column = numbers.find(path);
    return column == numbers.end() ? kNaN : column->second[cell];
}

std::string SweepTable::text(std::string const& path, std::size_t cell) const {
    auto const column = texts.find(path);
    return column == texts.end() ? "" : column->second[cell];
}

SweepTable read_cells(std::filesystem::path const& folder, job::Sweep const& sweep,
                      std::vector<std::uint8_t> complete) {
    SweepTable table;
    table.complete = std::move(complete);
    for (std::size_t cell = 0; cell < sweep.cells.size(); ++cell) {
        if (!table.complete[cell])
            continue;
        std::filesystem::path const results = folder / cell_name(cell) / "results.h5";
        store::in_file(results, Exit::data, "The file is damaged: make it again", [&] {
            read_metrics(table, cell, store::open_to_read(results));
            if (sweep.cells[cell].job.kind == "usage")
                read_usage_truth(table, cell, results, sweep.cells[cell]);
        });
    }
    return table;
}

void write_sweep(std::filesystem::path const& folder, job::Sweep const& sweep, SweepTable const& table) {
    store::write_whole_file(folder / "sweep.h5", [&](store::Handle const& file) {
        job::General const& job = sweep.cells.front().job;
        for (auto const& [name, value] : {std::pair{"format", std::string("assay-sweep")},
                                          {"kind", job.kind},
                                          {"name", job.name},
                                          {"software_version", std::string(version())}})
            store::write_string(file, "/", name, value);
        std::vector<std::string> folders;
        for (std::size_t cell = 0; cell < sweep.cells.size(); ++cell)
            folders.push_back(cell_name(cell));
        store::write_strings(file, "/cells/folder", folders);
        write_column(file, "/cells/complete", table.complete);
        for (std::size_t axis = 0; axis < sweep.axes.size(); ++axis)
            write_axis(file, sweep, axis);
        for (auto const& [path, values] : table.numbers)
            write_column(file, path, values);
        for (auto const& [path, values] : table.texts)
            store::write_strings(file, path, values);
    });
}

} // namespace assay::report
