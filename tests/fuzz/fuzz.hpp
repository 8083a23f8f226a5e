//! What the fuzz targets share: the property that every input layer keeps, a scratch folder, and a reader of
//! the fuzzer's bytes.
#pragma once

#include "assay/base/error.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

//! One input; called by libFuzzer, or with the kept inputs by replay_main.cpp.
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

namespace assay::fuzz {

//! Runs `action`: it succeeds, or throws an Error of the given code. Any other exception passes, and ends the
//! program as a crash would.
template <class Action>
bool succeeds_or_fails_with(Exit code, Action action) {
    try {
        action();
        return true;
    } catch (Error const& error) {
        if (error.code() == code)
            return false;
        std::fprintf(stderr, "FINDING: exit code %d: %s\n", static_cast<int>(error.code()), error.what());
        std::abort();
    }
}

inline void require(bool holds, char const* what) {
    if (holds)
        return;
    std::fprintf(stderr, "FINDING: %s\n", what);
    std::abort();
}

//! The path of a file in a folder of this process, made on first use and removed at exit.
inline std::filesystem::path scratch(std::string const& name) {
    struct Folder {
        Folder() : path((std::filesystem::temp_directory_path() / "assay-fuzz-XXXXXX").string()) {
            if (!mkdtemp(path.data()))
                throw std::runtime_error("no temporary folder");
        }
        ~Folder() { std::filesystem::remove_all(path); }
        std::string path;
    };
    static Folder const folder;
    return std::filesystem::path(folder.path) / name;
}

inline void write_file(std::filesystem::path const& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

//! Takes the fuzzer's bytes one after the other; behind their end there are zeros.
class Bytes {
  public:
    Bytes(std::uint8_t const* data, std::size_t size) : rest_(reinterpret_cast<char const*>(data), size) {}

    std::uint8_t byte() { return static_cast<std::uint8_t>(take(1)[0]); }
    //! 0 to n - 1.
    unsigned below(unsigned n) { return byte() % n; }
    template <class T>
    T value() {
        T value;
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }
    //! As many bytes as are left, at most `size`.
    std::string_view some(std::size_t size) {
        std::string_view const some = rest_.substr(0, size);
        rest_.remove_prefix(some.size());
        return some;
    }
    //! All that is left.
    std::string_view rest() { return some(rest_.size()); }
    bool empty() const { return rest_.empty(); }

  private:
    std::string take(std::size_t size) {
        std::string bytes(some(size));
        bytes.resize(size, '\0');
        return bytes;
    }

    std::string_view rest_;
};

} // namespace assay::fuzz
