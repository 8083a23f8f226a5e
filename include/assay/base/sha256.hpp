//! SHA-256 of files and strings, for the record of what a result was computed from.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace assay {

//! Local. 64 hexadecimal digits of the file's contents, read in pieces; Error(io) if it cannot be read.
std::string sha256_file(std::filesystem::path const& path);
//! 64 hexadecimal digits of the bytes.
std::string sha256(std::string_view bytes);

} // namespace assay
