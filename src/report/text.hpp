//! How numbers look in reports.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <nlohmann/json.hpp>

#include <cmath>
#include <optional>
#include <string>

namespace assay::report {

//! JSON has no NaN.
inline nlohmann::ordered_json number(double value) {
    return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

inline std::string row(std::string const& name, std::string const& value) {
    return fmt::format("  {:<30} {}\n", name, value);
}

inline std::string row(std::string const& name, std::optional<double> value) {
    return row(name, value && std::isfinite(*value) ? fmt::format("{:.3f}", *value) : "-");
}

//! "95 %"
inline std::string percent(double level) {
    return fmt::format("{:g} %", 100 * level);
}

} // namespace assay::report
