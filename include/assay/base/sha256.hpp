//! SHA-256 of files and strings, for the record of what a result was computed from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace assay {

//! Local. 64 hexadecimal digits of bytes [begin, end) of a file, or of those of them that exist; Error(io) if
//! it cannot be read.
std::string sha256_file(std::filesystem::path const& path, std::uint64_t begin = 0,
                        std::uint64_t end = ~std::uint64_t{0});
//! 64 hexadecimal digits of the bytes.
std::string sha256(std::string_view bytes);

} // namespace assay
