#include "assay/valuation/quality.hpp"

#include "data/part_fixtures.hpp"

#include <cmath>
#include <cstring>
#include <functional>
#include <iterator>

using namespace assay;
using namespace assay::valuation;
using namespace assay::data::test;
using data::DatasetInfo;
using data::SampleType;

namespace {

DatasetInfo images(std::uint64_t channels, std::uint64_t height, std::uint64_t width,
                   SampleType type = SampleType::uint8) {
    return {1, {channels, height, width}, type, "NCHW", false};
}

// A sample whose value at (channel, row, column) is what `level` says
using Level = std::function<double(std::size_t c, std::size_t y, std::size_t x)>;
std::vector<std::byte> sample_of(DatasetInfo const& info, Level const& level) {
    std::vector<std::byte> sample(info.sample_bytes());
    std::size_t i = 0;
    for (std::size_t c = 0; c < info.sample_shape[0]; ++c)
        for (std::size_t y = 0; y < info.sample_shape[1]; ++y)
            for (std::size_t x = 0; x < info.sample_shape[2]; ++x, ++i) {
                auto const value = static_cast<float>(level(c, y, x));
                if (info.type == SampleType::uint8)
                    sample[i] = static_cast<std::byte>(value);
                else
                    std::memcpy(sample.data() + i * sizeof value, &value, sizeof value);
            }
    return sample;
}

} // namespace

TEST(Quality, AConstantImageHasNeither) {
    for (double const level : {0.0, 1.0, 77.0, 255.0})
        for (std::uint64_t const channels : {1, 3}) {
            DatasetInfo const info = images(channels, 5, 7);
            auto const sample = sample_of(info, [&](auto...) { return level; });
            EXPECT_NEAR(sharpness(info, sample), 0, 1e-30);
            EXPECT_EQ(entropy(info, sample), 0);
        }
}

TEST(Quality, ACheckerboardIsAsSharpAsCanBe) {
    for (SampleType const type : {SampleType::uint8, SampleType::float32})
        for (std::uint64_t const channels : {1, 3}) {
            DatasetInfo const info = images(channels, 6, 8, type);
            double const white = type == SampleType::uint8 ? 255 : 1;
            auto const sample = sample_of(
                info, [&](std::size_t, std::size_t y, std::size_t x) { return (x + y) % 2 ? white : 0; });
            EXPECT_NEAR(sharpness(info, sample), 1, 1e-12);
            EXPECT_NEAR(entropy(info, sample), 1, 1e-12); // two levels, as frequent
        }
}

// Slopes have no second derivative; half of the contrast has a quarter of the variance
TEST(Quality, SharpnessKnowsSlopesAndContrast) {
    DatasetInfo const info = images(1, 9, 9);
    auto const slope =
        sample_of(info, [](std::size_t, std::size_t y, std::size_t x) { return 3 * x + 5 * y; });
    EXPECT_NEAR(sharpness(info, slope), 0, 1e-28);
    auto const noise = [](int strength) {
        return [strength](std::size_t, std::size_t y, std::size_t x) {
            return static_cast<double>(strength * ((x * x * 7 + y * 5 + x * y) % 11 % 2));
        };
    };
    double const full = sharpness(info, sample_of(info, noise(200)));
    EXPECT_GT(full, 0.01);
    EXPECT_NEAR(sharpness(info, sample_of(info, noise(100))), full / 4, 1e-12);
}

// One white pixel in a black 5x5 image: of 9 Laplacians one is -4 and four are 1, so mean 0 and variance 20/9
TEST(Quality, SharpnessOfOnePixel) {
    DatasetInfo const info = images(1, 5, 5);
    auto const sample =
        sample_of(info, [](std::size_t, std::size_t y, std::size_t x) { return x == 2 && y == 2 ? 255 : 0; });
    EXPECT_NEAR(sharpness(info, sample), 20.0 / 9 / 16, 1e-14);
}

TEST(Quality, EntropyOfKnownHistograms) {
    DatasetInfo const all = images(1, 16, 16);
    EXPECT_NEAR(
        entropy(all, sample_of(all, [](std::size_t, std::size_t y, std::size_t x) { return 16 * y + x; })), 8,
        1e-12); // every level once
    DatasetInfo const four = images(1, 4, 4);
    auto const quarter = // 4 of 16 pixels white
        sample_of(four, [](std::size_t, std::size_t y, std::size_t) { return y == 0 ? 255 : 0; });
    EXPECT_NEAR(entropy(four, quarter), 2 - 0.75 * std::log2(3.0), 1e-12);
    DatasetInfo const floats = images(1, 4, 4, SampleType::float32);
    auto const near = // both round to level 128
        sample_of(floats, [](std::size_t, std::size_t y, std::size_t) { return y < 2 ? 0.5 : 0.5015; });
    EXPECT_EQ(entropy(floats, near), 0);
}

// Green is lighter than red is lighter than blue: a checkerboard of one colour has that colour's share
// squared
TEST(Quality, ColoursAreWeighedAsTheEyeDoes) {
    DatasetInfo const info = images(3, 6, 6);
    std::vector<double> const weights{0.299, 0.587, 0.114};
    for (std::size_t colour = 0; colour < 3; ++colour) {
        auto const sample = sample_of(info, [&](std::size_t c, std::size_t y, std::size_t x) {
            return c == colour && (x + y) % 2 ? 255 : 0;
        });
        EXPECT_NEAR(sharpness(info, sample), weights[colour] * weights[colour], 1e-12);
    }
}

TEST(Quality, FloatsOutsideTheRangeAreRefused) {
    DatasetInfo const info = images(1, 4, 4, SampleType::float32);
    for (double const bad : {-0.25, 1.5, std::nan("")}) {
        auto const sample = sample_of(
            info, [&](std::size_t, std::size_t y, std::size_t x) { return x + y == 4 ? bad : 0.5; });
        std::string const text = fmt::format("{}", static_cast<float>(bad));
        expect_in(error_of(Exit::data, [&] { sharpness(info, sample); }), {text, "[0, 1]"});
        expect_in(error_of(Exit::data, [&] { entropy(info, sample); }), {text, "/quality"});
    }
}

TEST(Quality, OnlyImagesWillDo) {
    TempDir const dir;
    auto const dataset = [&](DatasetInfo const& info) {
        std::vector<std::byte> const values(info.sample_bytes());
        data::DatasetWriter writer(dir / "d.h5", info, true);
        writer.append(values, {});
        writer.finish();
        return data::Dataset(dir / "d.h5");
    };
    EXPECT_NO_THROW(require_images(dataset(images(1, 3, 3))));
    EXPECT_NO_THROW(require_images(dataset(images(3, 28, 28, SampleType::float32))));
    for (DatasetInfo const& info : {images(2, 8, 8), images(4, 8, 8), images(1, 2, 8), images(1, 8, 2)})
        expect_in(error_of(Exit::data, [&] { require_images(dataset(info)); }), {"d.h5", "NCHW", "/quality"});
    DatasetInfo turned = images(3, 8, 3);
    turned.layout = "NHWC";
    expect_in(error_of(Exit::data, [&] { require_images(dataset(turned)); }), {"3x8x3", "NHWC"});
    DatasetInfo const text{1, {16}, SampleType::uint8, "NT", false};
    expect_in(error_of(Exit::data, [&] { require_images(dataset(text)); }), {"16", "NT"});
}

TEST(Quality, SamplesOfAViewAreScoredAndNamed) {
    TempDir const dir;
    DatasetInfo info = images(1, 4, 4, SampleType::float32);
    info.size = 4;
    std::vector<std::byte> values; // a checkerboard whose white is 1, 0.5, 2 (too much), 0
    for (double const white : {1.0, 0.5, 2.0, 0.0})
        std::ranges::copy(sample_of(info, [&](std::size_t, std::size_t y,
                                              std::size_t x) { return (x + y) % 2 ? white : 0; }),
                          std::back_inserter(values));
    data::DatasetWriter writer(dir / "d.h5", info, false);
    writer.append(values, {});
    writer.finish();
    data::View const view(std::make_shared<data::Dataset const>(dir / "d.h5"), some_rows({1, 2, 3}));
    EXPECT_EQ(score_images(view, sharpness, 0, 1), (std::vector<float>{0.25F}));
    EXPECT_EQ(score_images(view, entropy, 2, 3), (std::vector<float>{0}));
    expect_in(error_of(Exit::data, [&] { score_images(view, sharpness, 0, 3); }),
              {"d.h5", "/samples", "row 2", "id 2", "value 2", "[0, 1]"});
}
