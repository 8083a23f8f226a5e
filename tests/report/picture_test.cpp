#include "assay/report/picture.hpp"

#include "data/fixtures.hpp"
#include "data/image.hpp"
#include "report/font.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

using namespace assay;
using namespace assay::report;
using namespace assay::data::test;
using data::DatasetInfo;
using data::SampleType;

namespace {

DatasetInfo images(std::uint64_t channels, std::uint64_t height, std::uint64_t width,
                   SampleType type = SampleType::uint8) {
    return {1, {channels, height, width}, type, "NCHW", false};
}

template <class T>
Picture picture_of_values(DatasetInfo const& info, std::vector<T> const& values) {
    return picture_of(info, std::as_bytes(std::span(values)));
}

std::vector<int> greys(Picture const& picture) {
    std::vector<int> levels;
    for (Colour const& colour : picture.pixels) {
        EXPECT_TRUE(colour[0] == colour[1] && colour[1] == colour[2]);
        levels.push_back(colour[0]);
    }
    return levels;
}

Picture filled(std::size_t width, std::size_t height, auto colour) {
    Picture picture{width, height, {}};
    for (std::size_t y = 0; y < height; ++y)
        for (std::size_t x = 0; x < width; ++x)
            picture.pixels.push_back(colour(x, y));
    return picture;
}

} // namespace

TEST(Picture, BytesAreShownAsTheyAre) {
    Picture const grey = picture_of_values<std::uint8_t>(images(1, 2, 3), {0, 1, 2, 253, 254, 255});
    EXPECT_EQ(grey.width, 3U);
    EXPECT_EQ(grey.height, 2U);
    EXPECT_EQ(greys(grey), (std::vector<int>{0, 1, 2, 253, 254, 255}));
    Picture const rgb = picture_of_values<std::uint8_t>(images(3, 1, 2), {10, 11, 20, 21, 30, 31});
    EXPECT_EQ(rgb.pixels, (std::vector<Colour>{{10, 20, 30}, {11, 21, 31}}));
    // Of other channels nobody knows what they mean
    EXPECT_EQ(greys(picture_of_values<std::uint8_t>(images(2, 1, 2), {10, 11, 20, 21})),
              (std::vector<int>{10, 11}));
    EXPECT_EQ(greys(picture_of_values<std::uint8_t>(images(4, 1, 1), {10, 20, 30, 40})),
              (std::vector<int>{10}));
}

TEST(Picture, FloatsAreShownInTheirRange) {
    DatasetInfo const info = images(1, 1, 3, SampleType::float32);
    EXPECT_EQ(greys(picture_of_values<float>(info, {0.25F, 0.5F, 0.75F})), (std::vector<int>{64, 128, 191}));
    EXPECT_EQ(greys(picture_of_values<float>(info, {0, 1, 0})), (std::vector<int>{0, 255, 0}));
    // Normalised: from the smallest to the largest
    EXPECT_EQ(greys(picture_of_values<float>(info, {-1, 0, 1})), (std::vector<int>{0, 128, 255}));
    EXPECT_EQ(greys(picture_of_values<float>(info, {3, 4, 2})), (std::vector<int>{128, 255, 0}));
    EXPECT_EQ(greys(picture_of_values<float>(info, {7, 7, 7})), (std::vector<int>{0, 0, 0}));
    EXPECT_NO_THROW(picture_of_values<float>(info, {std::nanf(""), INFINITY, 0}));
}

TEST(Picture, WhatIsNoImageIsRefused) {
    DatasetInfo const text{1, {4}, SampleType::uint8, "NT", false};
    EXPECT_FALSE(are_pictures(text));
    EXPECT_TRUE(are_pictures(images(1, 2, 2)));
    expect_in(error_of(Exit::data,
                       [&] {
                           picture_of_values<std::uint8_t>(text, {1, 2, 3, 4});
                       }),
              {"layout NT", "NCHW"});
}

TEST(Resized, SmallPicturesGrowByAWholeFactor) {
    auto const colour = [](std::size_t x, std::size_t y) {
        return Colour{static_cast<std::uint8_t>(9 * x), static_cast<std::uint8_t>(9 * y), 7};
    };
    for (auto const& [width, height, factor] : {std::array<std::size_t, 3>{28, 28, 4},
                                                {32, 32, 3},
                                                {8, 3, 12},
                                                {1, 1, 96},
                                                {64, 96, 1},
                                                {256, 10, 1}}) {
        Picture const small = filled(width, height, colour), big = resized_to_see(small);
        EXPECT_EQ(big.width, factor * width);
        EXPECT_EQ(big.height, factor * height);
        for (std::size_t y = 0; y < big.height; ++y)
            for (std::size_t x = 0; x < big.width; ++x)
                ASSERT_EQ(big.pixels[y * big.width + x], small.pixels[y / factor * width + x / factor]);
    }
}

TEST(Resized, LargePicturesShrinkToMeans) {
    Picture const large = filled(512, 300, [](std::size_t x, std::size_t y) {
        return Colour{static_cast<std::uint8_t>(x % 2 ? 200 : 100),
                      static_cast<std::uint8_t>(y / 2 % 2 ? 40 : 0),
                      static_cast<std::uint8_t>(x % 2 + y % 2)};
    });
    Picture const small = resized_to_see(large);
    EXPECT_EQ(small.width, 256U);
    EXPECT_EQ(small.height, 150U);
    for (std::size_t y = 0; y < small.height; ++y)
        for (std::size_t x = 0; x < small.width; ++x)
            ASSERT_EQ(small.pixels[y * 256 + x], (Colour{150, static_cast<std::uint8_t>(y % 2 ? 40 : 0), 1}));
    Picture const thin = resized_to_see(filled(1000, 1, [](auto...) { return Colour{1, 2, 3}; }));
    EXPECT_EQ(thin.width, 250U);
    EXPECT_EQ(thin.height, 1U);
    EXPECT_EQ(thin.pixels[249], (Colour{1, 2, 3}));
}

TEST(Png, IsReadBackByTheImporter) {
    TempDir const dir;
    Bytes const random = noise(3 * 37 * 21);
    Picture const picture = filled(37, 21, [&](std::size_t x, std::size_t y) {
        std::size_t const i = 3 * (y * 37 + x);
        return Colour{random[i], random[i + 1], random[i + 2]};
    });
    fs::path const path = dir / "deep/picture.png";
    write_png(path, picture, false);
    ASSERT_EQ(data::image_shape(path), (store::Shape{3, 21, 37}));
    std::vector<std::byte> planes(3 * 37 * 21);
    data::read_image(path, {3, 21, 37}, path, planes);
    for (std::size_t i = 0; i < picture.pixels.size(); ++i)
        for (std::size_t c = 0; c < 3; ++c)
            ASSERT_EQ(std::to_integer<int>(planes[c * 37 * 21 + i]), picture.pixels[i][c]);
    EXPECT_EQ(std::distance(fs::directory_iterator(dir / "deep"), {}), 1); // nothing temporary is left
}

TEST(Png, IsNotOverwrittenUnasked) {
    TempDir const dir;
    Picture const black = filled(4, 4, [](auto...) { return Colour{0, 0, 0}; });
    Picture const white = filled(4, 4, [](auto...) { return Colour{255, 255, 255}; });
    write_png(dir / "p.png", black, false);
    Bytes const before = read_bytes(dir / "p.png");
    write_png(dir / "p.png", black, false); // the same again is fine
    expect_in(error_of(Exit::usage, [&] { write_png(dir / "p.png", white, false); }),
              {(dir / "p.png").string(), "--overwrite"});
    EXPECT_EQ(read_bytes(dir / "p.png"), before);
    write_png(dir / "p.png", white, true);
    EXPECT_NE(read_bytes(dir / "p.png"), before);
    write_text(dir / "file", "not a folder");
    expect_in(error_of(Exit::io, [&] { write_png(dir / "file/p.png", white, false); }), {"p.png"});
}

TEST(Font, CharactersDiffer) {
    std::set<std::string> seen;
    for (char c = ' '; c <= '~'; ++c) {
        std::string dots;
        for (std::size_t y = 0; y < kGlyphHeight; ++y)
            for (std::size_t x = 0; x < kGlyphWidth; ++x)
                dots += has_dot(c, x, y) ? '#' : '.';
        EXPECT_TRUE(seen.insert(dots).second) << c;
        EXPECT_EQ(dots.find('#') == std::string::npos, c == ' ') << c;
        bool const descends = dots.find('#', 7 * kGlyphWidth) != std::string::npos;
        EXPECT_EQ(descends, std::string_view("gjpqy,;_").find(c) != std::string_view::npos) << c;
    }
}

TEST(Font, ALetterLooksLikeItself) {
    std::vector<std::string> const seven{"#####", "....#", "...#.", "..#..", ".#...", ".#...", ".#..."};
    for (std::size_t y = 0; y < 7; ++y)
        for (std::size_t x = 0; x < 5; ++x)
            EXPECT_EQ(has_dot('7', x, y), seven[y][x] == '#') << x << " " << y;
    EXPECT_FALSE(has_dot('7', 5, 0)); // between characters
    EXPECT_FALSE(has_dot('7', 0, 9));
}

TEST(Font, WhatItLacksIsAQuestionMark) {
    EXPECT_EQ(printable("Sandale \xC3\xA0 100 %"), "Sandale ? 100 %");
    EXPECT_EQ(printable("\xE2\x82\xAC\t\x7F"), "???"); // three bytes, one character
    for (std::size_t y = 0; y < kGlyphHeight; ++y)
        for (std::size_t x = 0; x < kGlyphWidth; ++x)
            for (char const other : {'\n', '\x7F', '\xC3'})
                EXPECT_EQ(has_dot(other, x, y), has_dot('?', x, y));
}
