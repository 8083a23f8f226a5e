#include "assay/model/batch.hpp"

#include "data/fixtures.hpp"

#include <array>
#include <cstring>
#include <set>

using namespace assay;
using namespace assay::model;
using data::test::error_of;
using data::test::expect_in;

namespace {

data::Samples byte_samples(std::vector<std::uint8_t> const& values, std::vector<std::uint64_t> ids,
                           std::vector<std::int64_t> labels) {
    data::Samples samples{std::move(ids), std::move(labels), std::vector<std::byte>(values.size())};
    std::memcpy(samples.values.data(), values.data(), values.size());
    return samples;
}

data::Samples float_samples(std::vector<float> const& values, std::vector<std::uint64_t> ids) {
    data::Samples samples{std::move(ids), {}, std::vector<std::byte>(values.size() * sizeof(float))};
    std::memcpy(samples.values.data(), values.data(), samples.values.size());
    return samples;
}

std::vector<float> values_of(torch::Tensor const& x) {
    torch::Tensor const flat = x.contiguous().reshape({-1});
    return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

data::DatasetInfo const kTwoChannels{3, {2, 1, 2}, data::SampleType::uint8, "NCHW", true};

// Images without two equal pixels, none of them 0
torch::Tensor distinct_images(std::int64_t count, std::int64_t channels, std::int64_t height,
                              std::int64_t width) {
    return torch::arange(1, count * channels * height * width + 1, torch::kFloat32)
        .reshape({count, channels, height, width});
}

// Which of the 50 versions (5 x 5 shifts, mirrored or not) of `image` [C, H, W] is `version`? -1: none.
// The version shifted down by dy and right by dx shows at (h, w) what stood at (h - dy, w - dx)
int version_number(torch::Tensor const& image, torch::Tensor const& version) {
    auto const from = image.accessor<float, 3>();
    auto const to = version.accessor<float, 3>();
    std::int64_t const height = image.size(1), width = image.size(2);
    int number = 0;
    for (std::int64_t dy = -2; dy <= 2; ++dy)
        for (std::int64_t dx = -2; dx <= 2; ++dx)
            for (bool mirrored : {false, true}) {
                bool same = true;
                for (std::int64_t c = 0; c < image.size(0); ++c)
                    for (std::int64_t h = 0; h < height; ++h)
                        for (std::int64_t w = 0; w < width; ++w) {
                            std::int64_t const y = h - dy, x = (mirrored ? width - 1 - w : w) - dx;
                            bool const inside = y >= 0 && y < height && x >= 0 && x < width;
                            same = same && to[c][h][w] == (inside ? from[c][y][x] : 0.0F);
                        }
                if (same)
                    return number;
                ++number;
            }
    return -1;
}

} // namespace

TEST(ToBatch, ScalesBytesToTheUnitInterval) {
    data::Samples const samples =
        byte_samples({0, 51, 255, 102, 1, 2, 3, 4, 5, 6, 7, 8}, {7, 8, 9}, {1, 0, 2});
    Batch const batch = to_batch(samples, kTwoChannels, {}, 0, 1, torch::kCPU);
    EXPECT_EQ(batch.x.sizes(), (std::vector<std::int64_t>{1, 2, 1, 2}));
    EXPECT_EQ(batch.x.scalar_type(), torch::kFloat32);
    EXPECT_EQ(values_of(batch.x), (std::vector<float>{0, 0.2F, 1, 0.4F}));
}

TEST(ToBatch, CutsIdsSamplesAndLabelsAlike) {
    data::Samples const samples =
        byte_samples({0, 0, 0, 0, 255, 0, 0, 0, 0, 255, 0, 0}, {7, 8, 9}, {1, 0, 2});
    Batch const batch = to_batch(samples, kTwoChannels, {}, 1, 3, torch::kCPU);
    EXPECT_EQ(batch.ids, (std::vector<std::uint64_t>{8, 9}));
    EXPECT_EQ(values_of(batch.x), (std::vector<float>{1, 0, 0, 0, 0, 1, 0, 0}));
    EXPECT_TRUE(torch::equal(batch.y, torch::tensor({0, 2}, torch::kInt64)));
}

TEST(ToBatch, KeepsFloatsAndOwnsThem) {
    data::DatasetInfo const info{2, {3}, data::SampleType::float32, "NC", false};
    std::vector<float> const values{-1.5F, 300, 0, 1e-3F, 2, 3};
    data::Samples samples = float_samples(values, {0, 1});
    Batch const batch = to_batch(samples, info, {}, 0, 2, torch::kCPU);
    std::ranges::fill(samples.values, std::byte{0});
    EXPECT_EQ(values_of(batch.x), values);
    EXPECT_FALSE(batch.y.defined());
}

TEST(ToBatch, NormalisesEachChannel) {
    data::Samples const samples = byte_samples({0, 51, 255, 102}, {7}, {1});
    Batch const batch = to_batch(samples, kTwoChannels, {{0.5, 0.2}, {0.25, 2}}, 0, 1, torch::kCPU);
    std::vector<float> const expected{-2, -1.2F, 0.4F, 0.1F};
    for (std::size_t i = 0; i < 4; ++i)
        EXPECT_NEAR(values_of(batch.x)[i], expected[i], 1e-6) << i;
}

TEST(ToBatch, NormalisesVectorsByEntry) {
    data::DatasetInfo const info{1, {2}, data::SampleType::float32, "NC", false};
    Batch const batch = to_batch(float_samples({4, 10}, {0}), info, {{2, 4}, {1, 3}}, 0, 1, torch::kCPU);
    EXPECT_EQ(values_of(batch.x), (std::vector<float>{2, 2}));
}

TEST(ToBatch, RefusesAnotherNumberOfChannels) {
    data::Samples const samples = byte_samples({0, 51, 255, 102}, {7}, {1});
    auto const message = [&](Normalisation const& normalisation) {
        return error_of(Exit::data,
                        [&] { to_batch(samples, kTwoChannels, normalisation, 0, 1, torch::kCPU); });
    };
    expect_in(message({{0.5, 0.5, 0.5}, {1, 1, 1}}), {"dataset.mean", "3 entries", "2 channels"});
    expect_in(message({{0.5, 0.5}, {1}}), {"dataset.deviation", "1 entries", "2 channels"});
}

TEST(Augment, ShiftsAndMirrorsWholeImages) {
    torch::Tensor const x = distinct_images(40, 2, 5, 7); // higher than wide would hide swapped axes
    std::vector<std::uint64_t> ids(40);
    for (std::size_t i = 0; i < ids.size(); ++i)
        ids[i] = 100 + i;
    std::set<int> seen;
    int mirrored = 0;
    for (std::uint64_t draw = 0; draw < 25; ++draw) {
        torch::Tensor const versions = augment(x, ids, 3, draw);
        ASSERT_EQ(versions.sizes(), x.sizes());
        for (std::int64_t i = 0; i < x.size(0); ++i) {
            int const number = version_number(x[i], versions[i]);
            ASSERT_GE(number, 0) << "image " << i << ", draw " << draw;
            seen.insert(number);
            mirrored += number % 2;
        }
    }
    EXPECT_EQ(seen.size(), 50U);    // of 1000 draws; one of 50 is missed with probability 1e-7
    EXPECT_NEAR(mirrored, 500, 79); // 5 sd
}

TEST(Augment, DependsOnSeedIdAndDrawNotOnTheBatch) {
    torch::Tensor const x = distinct_images(6, 1, 8, 8);
    std::vector<std::uint64_t> const ids{4, 8, 15, 16, 23, 42};
    torch::Tensor const together = augment(x, ids, 3, 1);
    for (std::int64_t i = 0; i < 6; ++i) {
        torch::Tensor const alone = augment(x.slice(0, i, i + 1), {ids[static_cast<std::size_t>(i)]}, 3, 1);
        EXPECT_TRUE(torch::equal(alone[0], together[i])) << i;
    }
    torch::Tensor const reversed = augment(x.flip(0), {42, 23, 16, 15, 8, 4}, 3, 1);
    EXPECT_TRUE(torch::equal(reversed.flip(0), together));
}

TEST(Augment, DrawsAnewForEachSeedIdAndDraw) {
    torch::Tensor const x = distinct_images(1, 1, 8, 8).expand({64, 1, 8, 8});
    std::vector<std::uint64_t> ids(64);
    for (std::size_t i = 0; i < ids.size(); ++i)
        ids[i] = i;
    torch::Tensor const base = augment(x, ids, 3, 0);
    auto const unchanged = [&](torch::Tensor const& other) {
        return other.eq(base).flatten(1).all(1).sum().item<std::int64_t>();
    };
    EXPECT_LT(unchanged(augment(x, ids, 3, 1)), 10); // 64/50 by chance
    EXPECT_LT(unchanged(augment(x, ids, 4, 0)), 10);
    for (auto& id : ids)
        id += 64;
    EXPECT_LT(unchanged(augment(x, ids, 3, 0)), 10);
}

TEST(Augment, GivesVersionsOfOneItemTheSameShift) {
    torch::Tensor const x = distinct_images(2, 1, 8, 8);
    torch::Tensor const versions = augment(x, {5, 5}, 3, 0);
    EXPECT_EQ(version_number(x[0], versions[0]), version_number(x[1], versions[1]));
}
