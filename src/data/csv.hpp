//! Comma-separated values with a header line, read line by line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace assay::data {

//! Fields may be in double quotes, a doubled quote inside stands for one; a field cannot span lines. Empty
//! lines, carriage returns and a byte-order mark are skipped. Error(data) names file and line.
class CsvReader {
  public:
    //! Reads the header; Error(data) if the file is missing, empty, or names a column twice.
    explicit CsvReader(std::filesystem::path path);

    //! Position of a column; nothing if there is none of this name.
    std::optional<std::size_t> column(std::string const& name) const;
    //! The next line's fields, as many as the header has; nothing at the end.
    std::optional<std::vector<std::string>> next();
    //! Number of the line that next() returned, counted from 1.
    std::uint64_t line() const { return line_; }

  private:
    std::optional<std::vector<std::string>> read_line();

    std::filesystem::path path_;
    std::ifstream file_;
    std::uint64_t line_ = 0;
    std::vector<std::string> header_;
};

} // namespace assay::data
