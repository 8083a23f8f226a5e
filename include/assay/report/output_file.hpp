//! Files for people beside the results: they appear whole, or not at all.
#pragma once

#include <filesystem>
#include <string_view>

namespace assay::report {

//! Local (root). Makes the folder where needed, writes PATH.new, makes it durable and renames it to PATH.
//! Error(usage) if PATH is there with other content, unless `overwrite`; Error(io) if it cannot be written.
void write_output_file(std::filesystem::path const& path, std::string_view content, bool overwrite);

} // namespace assay::report
