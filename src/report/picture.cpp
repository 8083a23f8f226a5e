#include "assay/report/picture.hpp"

#include "assay/report/output_file.hpp"

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC // torch's friends bring copies of stb too
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

#include <algorithm>
#include <cstring>

namespace assay::report {

namespace {

constexpr std::size_t kSmallest = 96, kLargest = 256; // pixels on the longer side

// All values of a sample as 0..255
std::vector<std::uint8_t> levels_of(data::DatasetInfo const& info, std::span<std::byte const> sample) {
    std::vector<std::uint8_t> levels(info.sample_elements());
    if (info.type == data::SampleType::uint8) {
        std::memcpy(levels.data(), sample.data(), levels.size());
        return levels;
    }
    std::vector<float> values(levels.size());
    std::memcpy(values.data(), sample.data(), values.size() * sizeof(float));
    auto [low, high] = std::ranges::minmax(values);
    if (low >= 0 && high <= 1) {
        low = 0;
        high = 1;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        float const level = 255 * (values[i] - low) / (high - low);
        levels[i] = level > 0 ? static_cast<std::uint8_t>(std::min(level, 255.0F) + 0.5F) : 0; // NaN: black
    }
    return levels;
}

Picture enlarged(Picture const& from, std::size_t factor) {
    Picture to{from.width * factor, from.height * factor, {}};
    to.pixels.reserve(to.width * to.height);
    for (std::size_t y = 0; y < to.height; ++y)
        for (std::size_t x = 0; x < to.width; ++x)
            to.pixels.push_back(from.pixels[y / factor * from.width + x / factor]);
    return to;
}

// What does not fill a square at the right and lower edge is left out
Picture reduced(Picture const& from, std::size_t factor) {
    Picture to{
        std::max<std::size_t>(1, from.width / factor), std::max<std::size_t>(1, from.height / factor), {}};
    for (std::size_t y = 0; y < to.height; ++y)
        for (std::size_t x = 0; x < to.width; ++x) {
            std::array<std::size_t, 3> sum{};
            std::size_t count = 0;
            for (std::size_t v = y * factor; v < std::min((y + 1) * factor, from.height); ++v)
                for (std::size_t u = x * factor; u < std::min((x + 1) * factor, from.width); ++u, ++count)
                    for (std::size_t c = 0; c < 3; ++c)
                        sum[c] += from.pixels[v * from.width + u][c];
            Colour mean{};
            for (std::size_t c = 0; c < 3; ++c)
                mean[c] = static_cast<std::uint8_t>((sum[c] + count / 2) / count);
            to.pixels.push_back(mean);
        }
    return to;
}

} // namespace

bool are_pictures(data::DatasetInfo const& info) {
    return info.layout == "NCHW";
}

Picture picture_of(data::DatasetInfo const& info, std::span<std::byte const> sample) {
    if (!are_pictures(info))
        fail(Exit::data, "samples in layout {} cannot be shown (pictures are NCHW). Switch the sheet off",
             info.layout);
    std::vector<std::uint8_t> const levels = levels_of(info, sample);
    Picture picture{info.sample_shape[2], info.sample_shape[1], {}};
    std::size_t const plane = picture.width * picture.height;
    std::size_t const step = info.sample_shape[0] == 3 ? plane : 0; // from a channel to the next
    for (std::size_t i = 0; i < plane; ++i)
        picture.pixels.push_back({levels[i], levels[i + step], levels[i + 2 * step]});
    return picture;
}

Picture resized_to_see(Picture const& picture) {
    std::size_t const side = std::max(picture.width, picture.height);
    if (side > kLargest)
        return reduced(picture, (side + kLargest - 1) / kLargest);
    return enlarged(picture, (kSmallest + side - 1) / side);
}

void write_png(std::filesystem::path const& path, Picture const& picture, bool overwrite) {
    std::string content;
    auto const collect = [](void* to, void* data, int size) {
        static_cast<std::string*>(to)->append(static_cast<char const*>(data), static_cast<std::size_t>(size));
    };
    auto const width = static_cast<int>(picture.width), height = static_cast<int>(picture.height);
    if (stbi_write_png_to_func(collect, &content, width, height, 3, picture.pixels.data(), 3 * width) == 0)
        fail(Exit::internal, "{}: {} x {} pixels do not make a PNG", path.string(), width, height);
    write_output_file(path, content, overwrite);
}

} // namespace assay::report
