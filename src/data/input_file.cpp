#include "data/input_file.hpp"

#include "assay/base/error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace assay::data {

InputFile::InputFile(std::filesystem::path path) : path_(std::move(path)) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path_, error))
        fail(Exit::data, "{}: no such file. Check the path", path_.string());
    file_.reset(gzopen(path_.c_str(), "rb"));
    if (!file_)
        fail(Exit::io, "{}: cannot be opened ({}). Check the permissions", path_.string(),
             std::strerror(errno));
    gzbuffer(file_.get(), 1 << 18);
}

void InputFile::read(std::span<std::byte> out) {
    while (!out.empty()) {
        auto const wanted = static_cast<unsigned>(std::min<std::size_t>(out.size(), 1 << 30));
        int const got = gzread(file_.get(), out.data(), wanted);
        int code = Z_OK;
        char const* reason = gzerror(file_.get(), &code);
        if (code == Z_ERRNO)
            fail(Exit::io, "{}: cannot be read ({}). Check the disk", path_.string(), std::strerror(errno));
        if (code == Z_DATA_ERROR)
            fail(Exit::data, "{}: damaged after {} bytes ({}). Get it again", path_.string(), position_,
                 reason);
        position_ += static_cast<std::uint64_t>(std::max(got, 0));
        if (got <= 0 || code == Z_BUF_ERROR)
            fail(Exit::data, "{}: truncated, it ends after {} bytes (uncompressed). Get it again",
                 path_.string(), position_);
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

void InputFile::require_end() {
    std::byte extra;
    int const got = gzread(file_.get(), &extra, 1);
    if (got > 0)
        fail(Exit::data, "{}: bytes follow the last sample (after {} bytes). Is its header right?",
             path_.string(), position_);
    int code = Z_OK;
    char const* reason = gzerror(file_.get(), &code);
    if (got < 0 || code != Z_OK) // the check sum at the end of a .gz
        fail(Exit::data, "{}: damaged or truncated at its end ({}). Get it again", path_.string(), reason);
}

void InputFile::require_rest(std::uint64_t bytes) const {
    constexpr std::uint64_t kDeflateLimit = 1032; // zlib.net/zlib_tech.html: no better ratio is possible
    auto const size = std::filesystem::file_size(path_);
    bool const plain = gzdirect(file_.get()) != 0;
    if (plain ? size - position_ != bytes : bytes / kDeflateLimit > size)
        fail(Exit::data, "{}: {} (its header of {} bytes asks for {} more, the file has {}{}). Get it again",
             path_.string(), bytes > size - position_ ? "truncated" : "bytes follow the last sample",
             position_, bytes, size, plain ? "" : " compressed");
}

} // namespace assay::data
