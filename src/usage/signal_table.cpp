#include "assay/usage/signal_table.hpp"

#include "assay/base/error.hpp"

#include <cmath>

namespace assay::usage {

void check_table(SignalTable const& table, std::string_view side) {
    if (table.columns.empty() || table.names.size() != table.columns.size())
        fail(Exit::data,
             "the {} have {} signal columns and {} names (one name per column is needed, at least one). "
             "Compute at least one signal",
             side, table.columns.size(), table.names.size());
    if (table.rows() < 2)
        fail(Exit::data, "the {} have {} rows (a spread needs two). Give more samples", side, table.rows());
    for (std::size_t k = 0; k < table.columns.size(); ++k) {
        std::vector<double> const& column = table.columns[k];
        if (column.size() != table.rows())
            fail(Exit::data,
                 "signal '{}' of the {} has {} rows, signal '{}' has {} (one row per sample is needed). "
                 "Compute the signals again",
                 table.names[k], side, column.size(), table.names[0], table.rows());
        for (std::size_t i = 0; i < column.size(); ++i)
            if (!std::isfinite(column[i]))
                fail(Exit::data,
                     "signal '{}' of the {} is {} in row {} (only finite values can be compared). "
                     "Check the model's output for that sample or leave the sample out",
                     table.names[k], side, column[i], i);
    }
}

SignalTable take_rows(SignalTable const& table, std::span<std::size_t const> rows) {
    SignalTable taken{table.names, {}};
    taken.columns.reserve(table.columns.size());
    for (std::vector<double> const& column : table.columns) {
        std::vector<double>& values = taken.columns.emplace_back();
        values.reserve(rows.size());
        for (std::size_t row : rows)
            values.push_back(column[row]);
    }
    return taken;
}

SignalTable take_signals(SignalTable const& table, std::span<std::size_t const> signals) {
    SignalTable taken;
    for (std::size_t k : signals) {
        taken.names.push_back(table.names[k]);
        taken.columns.push_back(table.columns[k]);
    }
    return taken;
}

} // namespace assay::usage
