#include "data/image.hpp"

#include "data/source.hpp"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC // torch's friends bring copies of stb_image too
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#include <stb/stb_image.h>

#include <algorithm>
#include <memory>

namespace assay::data {

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

void read_image(std::filesystem::path const& path, store::Shape const& shape,
                std::filesystem::path const& first, std::span<std::byte> out) {
    auto const found = image_shape(path);
    if (found != shape)
        fail(Exit::data, "{}: is {}, {} is {} (all must have one shape). Resize it before the import",
             path.string(), shape_text(found), first.string(), shape_text(shape));
    int width = 0;
    int height = 0;
    int channels = 0;
    std::unique_ptr<stbi_uc, void (*)(void*)> const pixels(
        stbi_load(path.c_str(), &width, &height, &channels, static_cast<int>(shape[0])), stbi_image_free);
    if (!pixels)
        fail(Exit::data, "{}: cannot be decoded ({}). Replace or remove it", path.string(),
             stbi_failure_reason());
    std::size_t const plane = shape[1] * shape[2];
    for (std::size_t c = 0; c < shape[0]; ++c)
        for (std::size_t i = 0; i < plane; ++i)
            out[c * plane + i] = static_cast<std::byte>(pixels.get()[i * shape[0] + c]);
}

} // namespace assay::data
