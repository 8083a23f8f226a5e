#include "data/image.hpp"

#include "data/jpeg.hpp"
#include "data/source.hpp"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC // torch's friends bring copies of stb_image too
#define STBI_ONLY_PNG    // its JPEG decoder writes out of bounds on damaged files
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#include <stb/stb_image.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

namespace assay::data {

namespace {

// A header claims its size in a few bytes, and memory is taken for it
constexpr std::uint64_t kMostPixels = 1 << 24;

store::Shape png_shape(std::filesystem::path const& path) {
    int width = 0;
    int height = 0;
    int channels = 0;
    if (stbi_info(path.c_str(), &width, &height, &channels) == 0)
        fail(Exit::data, "{}: not a PNG or JPEG image that can be read ({}). Replace or remove it",
             path.string(), stbi_failure_reason());
    if (channels != 1 && channels != 3)
        fail(Exit::data,
             "{}: has an alpha channel (what lies behind it is unknown). Flatten it to grey or RGB",
             path.string());
    if (stbi_is_16_bit(path.c_str()))
        fail(Exit::data, "{}: has 16 bits per channel (8 are stored). Convert it, or import a float32 .npy",
             path.string());
    return {static_cast<std::uint64_t>(channels), static_cast<std::uint64_t>(height),
            static_cast<std::uint64_t>(width)};
}

// stb takes memory for what a chunk claims to hold before it looks whether the file does
void require_whole_chunks(std::filesystem::path const& path) {
    std::uint64_t const size = std::filesystem::file_size(path);
    std::ifstream file(path, std::ios::binary);
    constexpr std::uint64_t kSignature = 8, kAround = 12; // a chunk's length, type and checksum
    for (std::uint64_t at = kSignature; at < size;) {
        unsigned char start[8] = {};
        file.seekg(static_cast<std::streamoff>(at));
        file.read(reinterpret_cast<char*>(start), sizeof start);
        std::uint64_t length = 0;
        for (int i = 0; i < 4; ++i)
            length = length << 8 | start[i];
        at += kAround + length;
        if (at > size)
            fail(Exit::data, "{}: cannot be decoded (truncated). Replace or remove it", path.string());
        if (std::memcmp(start + 4, "IEND", 4) == 0)
            return;
    }
}

std::vector<std::byte> read_png(std::filesystem::path const& path, store::Shape const& shape) {
    require_whole_chunks(path);
    int width = 0;
    int height = 0;
    int channels = 0;
    std::unique_ptr<stbi_uc, void (*)(void*)> const decoded(
        stbi_load(path.c_str(), &width, &height, &channels, static_cast<int>(shape[0])), stbi_image_free);
    if (!decoded)
        fail(Exit::data, "{}: cannot be decoded ({}). Replace or remove it", path.string(),
             stbi_failure_reason());
    std::vector<std::byte> pixels(shape[0] * shape[1] * shape[2]);
    std::memcpy(pixels.data(), decoded.get(), pixels.size());
    return pixels;
}

} // namespace

bool is_image(std::filesystem::path const& path) {
    auto extension = path.extension().string();
    std::ranges::transform(extension, extension.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

store::Shape image_shape(std::filesystem::path const& path) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error))
        fail(Exit::data, "{}: no such image. Check the path", path.string());
    auto const shape = is_jpeg(path) ? jpeg_shape(path) : png_shape(path);
    if (shape[1] * shape[2] > kMostPixels)
        fail(Exit::data,
             "{}: is {} (more than {} pixels: too large a sample, or damaged). Resize or replace it",
             path.string(), shape_text(shape), kMostPixels);
    return shape;
}

void read_image(std::filesystem::path const& path, store::Shape const& shape,
                std::filesystem::path const& first, std::span<std::byte> out) {
    auto const found = image_shape(path);
    if (found != shape)
        fail(Exit::data, "{}: is {}, {} is {} (all must have one shape). Resize it before the import",
             path.string(), shape_text(found), first.string(), shape_text(shape));
    auto const pixels = is_jpeg(path) ? read_jpeg(path, shape) : read_png(path, shape);
    std::size_t const plane = shape[1] * shape[2];
    for (std::size_t c = 0; c < shape[0]; ++c)
        for (std::size_t i = 0; i < plane; ++i)
            out[c * plane + i] = pixels[i * shape[0] + c];
}

} // namespace assay::data
