//! Membership signals of a set of items as plain columns.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay::usage {

//! K columns of n rows; column k is called names[k]; larger = more like a member. Rows are items.
struct SignalTable {
    std::vector<std::string> names;
    std::vector<std::vector<double>> columns;

    std::size_t rows() const { return columns.empty() ? 0 : columns.front().size(); }
};

//! Fails (Exit::data) for a table without columns or rows, with ragged columns, or with a value that is not
//! finite; names the signal and the row. `side` is what the message calls the table ("suspects"). Local.
void check_table(SignalTable const& table, std::string_view side);

//! The given rows in the given order; a row may come several times. Local.
SignalTable take_rows(SignalTable const& table, std::span<std::size_t const> rows);

//! The given columns in the given order. Local.
SignalTable take_signals(SignalTable const& table, std::span<std::size_t const> signals);

} // namespace assay::usage
