//! A binary file read from front to end, gzip-compressed or not.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace assay::data {

//! Move-only. Errors name the file: Error(data) for what is wrong with its contents, Error(io) for reading.
class InputFile {
  public:
    //! Error(data) if there is no such file.
    explicit InputFile(std::filesystem::path path);

    std::filesystem::path const& path() const { return path_; }
    //! Exactly out.size() bytes; Error(data) if the file ends before, or is damaged.
    void read(std::span<std::byte> out);
    //! Error(data) if anything follows.
    void require_end();
    //! Error(data) unless the file, uncompressed, can hold `bytes` more bytes: exactly for a plain file; for
    //! a compressed one only what deflate could never reach is refused, the rest shows on reading.
    void require_rest(std::uint64_t bytes) const;

  private:
    struct Close {
        void operator()(gzFile file) const { gzclose(file); }
    };
    std::filesystem::path path_;
    std::unique_ptr<gzFile_s, Close> file_;
    std::uint64_t position_ = 0;
};

} // namespace assay::data
