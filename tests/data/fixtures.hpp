//! What the tests of this room share: a folder that goes away, errors as text, small files of foreign
//! formats.
#pragma once

#include "assay/data/dataset.hpp"
#include "assay/data/import.hpp"

#include <gtest/gtest.h>

#include <zlib.h>

#include <cstdlib>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

namespace assay::data::test {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

//! A fresh folder, removed with all it holds.
class TempDir {
  public:
    TempDir() {
        std::string name = (fs::temp_directory_path() / "assay-data-XXXXXX").string();
        if (!mkdtemp(name.data()))
            throw std::runtime_error("no temporary folder");
        path_ = name;
    }
    ~TempDir() { fs::remove_all(path_); }
    TempDir(TempDir const&) = delete;
    TempDir& operator=(TempDir const&) = delete;
    fs::path operator/(fs::path const& name) const { return path_ / name; }

  private:
    fs::path path_;
};

//! The message of the Error that `action` throws; a test failure unless it has that code and is one line.
template <class Action>
std::string error_of(Exit code, Action action) {
    try {
        action();
    } catch (Error const& error) {
        EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
        return error.what();
    }
    ADD_FAILURE() << "no error was thrown";
    return "";
}

inline void expect_in(std::string const& text, std::vector<std::string> const& parts) {
    for (auto const& part : parts)
        EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
}

inline void write_bytes(fs::path const& path, Bytes const& bytes) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<char const*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}
inline void write_text(fs::path const& path, std::string const& text) {
    write_bytes(path, Bytes(text.begin(), text.end()));
}
inline Bytes read_bytes(fs::path const& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}
inline void write_gz(fs::path const& path, Bytes const& bytes) {
    gzFile const file = gzopen(path.c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
}

inline void append(Bytes& to, Bytes const& more) {
    to.insert(to.end(), more.begin(), more.end());
}
inline Bytes big_endian(std::uint32_t value) {
    return {static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
            static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}
//! n bytes without a visible pattern.
inline Bytes noise(std::size_t n, std::uint32_t seed = 1) {
    Bytes bytes(n);
    for (auto& byte : bytes)
        byte = static_cast<std::uint8_t>((seed = seed * 1664525U + 1013904223U) >> 24);
    return bytes;
}

//! A PNG of interleaved pixels; colour type by channels: 1 grey, 2 grey+alpha, 3 RGB, 4 RGBA.
inline Bytes png(std::uint32_t width, std::uint32_t height, std::uint32_t channels, Bytes const& pixels,
                 std::uint8_t depth = 8) {
    Bytes raw;
    std::size_t const row = pixels.size() / height;
    for (std::size_t y = 0; y < height; ++y) {
        raw.push_back(0); // no filter
        raw.insert(raw.end(), pixels.begin() + static_cast<std::ptrdiff_t>(y * row),
                   pixels.begin() + static_cast<std::ptrdiff_t>((y + 1) * row));
    }
    uLongf size = compressBound(raw.size());
    Bytes packed(size);
    compress(packed.data(), &size, raw.data(), raw.size());
    packed.resize(size);
    Bytes file{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    auto const chunk = [&file](std::string const& type, Bytes const& content) {
        Bytes body(type.begin(), type.end());
        append(body, content);
        append(file, big_endian(static_cast<std::uint32_t>(content.size())));
        append(file, body);
        append(file,
               big_endian(static_cast<std::uint32_t>(crc32(0, body.data(), static_cast<uInt>(body.size())))));
    };
    Bytes header = big_endian(width);
    append(header, big_endian(height));
    append(header, {depth, Bytes{0, 0, 4, 2, 6}[channels], 0, 0, 0});
    chunk("IHDR", header);
    chunk("IDAT", packed);
    chunk("IEND", {});
    return file;
}

//! /names of a data set file.
inline std::vector<std::string> names_of(fs::path const& path) {
    auto const file = store::open_to_read(path);
    auto const names = store::open_dataset(file, "/names");
    store::Handle const type(H5Dget_type(names.id()), "type");
    std::vector<char*> texts(store::shape_of(names).front());
    store::read_rows(names, 0, texts.size(), type.id(), texts.data());
    std::vector<std::string> const result(texts.begin(), texts.end());
    for (char* text : texts)
        H5free_memory(text);
    return result;
}

//! Runs a Python script in `folder`; false if there is no Python with the modules it needs.
inline bool run_python(fs::path const& folder, std::string const& modules, std::string const& script) {
    if (std::system(("/usr/bin/python3 -c 'import " + modules + "' 2> /dev/null").c_str()) != 0)
        return false;
    write_text(folder / "script.py", script);
    int const status = std::system(("cd " + folder.string() + " && /usr/bin/python3 script.py").c_str());
    EXPECT_EQ(status, 0) << script;
    return true;
}

//! All rows of a data set.
inline Samples all(Dataset const& dataset) {
    std::vector<std::uint64_t> rows(dataset.info().size);
    std::iota(rows.begin(), rows.end(), 0U);
    return dataset.read(rows);
}
inline Bytes values_of(Dataset const& dataset) {
    auto const values = all(dataset).values;
    auto const* bytes = reinterpret_cast<std::uint8_t const*>(values.data());
    return {bytes, bytes + values.size()};
}

//! Importing must fail: the message, after making sure that no output is left.
inline std::string import_error(Exit code, ImportRequest const& request) {
    auto const message = error_of(code, [&] { import_dataset(request); });
    EXPECT_FALSE(fs::exists(request.output)) << message;
    EXPECT_FALSE(fs::exists(request.output.string() + ".partial")) << message;
    return message;
}

} // namespace assay::data::test
