#include "assay/valuation/quality.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace assay::valuation {

namespace {

// Value i of a sample, in [0, 1]
double value_at(data::DatasetInfo const& info, std::span<std::byte const> sample, std::size_t i) {
    if (info.type == data::SampleType::uint8)
        return std::to_integer<int>(sample[i]) / 255.0;
    float value = 0;
    std::memcpy(&value, sample.data() + i * sizeof value, sizeof value);
    if (!(value >= 0 && value <= 1))
        fail(
            Exit::data,
            "it has the value {} (sharpness and entropy need floats in [0, 1]). Rescale the samples, or give "
            "scores of your own as /quality",
            value);
    return value;
}

std::vector<double> grey(data::DatasetInfo const& info, std::span<std::byte const> sample) {
    constexpr std::array kLuma{0.299, 0.587, 0.114};
    std::size_t const channels = info.sample_shape[0], pixels = info.sample_shape[1] * info.sample_shape[2];
    std::vector<double> grey(pixels, 0);
    for (std::size_t c = 0; c < channels; ++c)
        for (std::size_t i = 0; i < pixels; ++i)
            grey[i] += (channels == 1 ? 1 : kLuma[c]) * value_at(info, sample, c * pixels + i);
    return grey;
}

} // namespace

double sharpness(data::DatasetInfo const& info, std::span<std::byte const> sample) {
    constexpr double kMost = 16; // of values in [-4, 4]
    std::size_t const height = info.sample_shape[1], width = info.sample_shape[2];
    std::vector<double> const at = grey(info, sample);
    std::vector<double> laplacian;
    for (std::size_t y = 1; y + 1 < height; ++y)
        for (std::size_t x = 1; x + 1 < width; ++x) {
            std::size_t const i = y * width + x;
            laplacian.push_back(at[i - width] + at[i + width] + at[i - 1] + at[i + 1] - 4 * at[i]);
        }
    auto const n = static_cast<double>(laplacian.size());
    double mean = 0, variance = 0;
    for (double const value : laplacian)
        mean += value / n;
    for (double const value : laplacian)
        variance += (value - mean) * (value - mean) / n;
    return variance / kMost;
}

double entropy(data::DatasetInfo const& info, std::span<std::byte const> sample) {
    std::array<std::uint64_t, 256> counts{};
    std::vector<double> const levels = grey(info, sample);
    for (double const level : levels)
        ++counts[std::min<std::size_t>(255, static_cast<std::size_t>(std::lround(255 * level)))];
    double bits = 0;
    for (std::uint64_t const count : counts)
        if (count > 0) {
            double const share = static_cast<double>(count) / static_cast<double>(levels.size());
            bits -= share * std::log2(share);
        }
    return std::max(bits, 0.0);
}

void require_images(data::Dataset const& dataset) {
    store::Shape const& shape = dataset.info().sample_shape;
    bool const fit =
        dataset.info().layout == "NCHW" && (shape[0] == 1 || shape[0] == 3) && shape[1] >= 3 && shape[2] >= 3;
    if (!fit)
        fail(Exit::data,
             "{}: samples are {} in layout {} (sharpness and entropy look at images, NCHW with 1 or 3 "
             "channels and at least 3x3 pixels). Give scores of your own as /quality",
             dataset.path().string(), fmt::join(shape, "x"), dataset.info().layout);
}

std::vector<float> score_images(data::View const& view, ImageScore score, std::uint64_t begin,
                                std::uint64_t end) {
    data::Samples const samples = view.read(begin, end);
    std::size_t const bytes = view.info().sample_bytes();
    std::vector<float> scores;
    for (std::size_t i = 0; i < samples.ids.size(); ++i)
        try {
            auto const sample = std::span(samples.values).subspan(i * bytes, bytes);
            scores.push_back(static_cast<float>(score(view.info(), sample)));
        } catch (Error const& error) {
            fail(error.code(), "{}: /samples at row {} (id {}): {}", view.dataset().path().string(),
                 view.rows().at(begin + i), samples.ids[i], error.what());
        }
    return scores;
}

} // namespace assay::valuation
