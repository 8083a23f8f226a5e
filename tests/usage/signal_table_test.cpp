#include "assay/usage/signal_table.hpp"

#include "assay/base/error.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace assay::usage {
namespace {

std::string refusal(SignalTable const& table) {
    try {
        check_table(table, "suspects");
    } catch (Error const& error) {
        EXPECT_EQ(error.code(), Exit::data);
        return error.what();
    }
    return "";
}

TEST(SignalTable, RefusesValuesThatAreNotFiniteByNameAndRow) {
    for (double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
        std::string const message = refusal({{"loss", "margin"}, {{1, 2, 3, 4}, {1, 2, 3, bad}}});
        EXPECT_NE(message.find("'margin' of the suspects"), std::string::npos) << message;
        EXPECT_NE(message.find("row 3"), std::string::npos) << message;
    }
    EXPECT_EQ(refusal({{"loss"}, {{1, 2}}}), "");
}

TEST(SignalTable, RefusesTablesThatAreNoTables) {
    EXPECT_NE(refusal({{}, {}}), "");
    EXPECT_NE(refusal({{"loss", "margin"}, {{1, 2}}}), "");
    EXPECT_NE(refusal({{"loss"}, {{1}}}), "");
    EXPECT_NE(refusal({{"loss", "margin"}, {{1, 2}, {1, 2, 3}}}).find("margin"), std::string::npos);
}

TEST(SignalTable, TakesRowsAndSignalsInTheGivenOrder) {
    SignalTable const table{{"a", "b"}, {{1, 2, 3}, {4, 5, 6}}};
    std::vector<std::size_t> const rows{2, 0, 2};
    EXPECT_EQ(take_rows(table, rows).columns, (std::vector<std::vector<double>>{{3, 1, 3}, {6, 4, 6}}));
    std::vector<std::size_t> const second{1};
    EXPECT_EQ(take_signals(table, second).names, std::vector<std::string>{"b"});
    EXPECT_EQ(take_signals(table, second).columns, (std::vector<std::vector<double>>{{4, 5, 6}}));
}

} // namespace
} // namespace assay::usage
