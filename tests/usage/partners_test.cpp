#include "assay/usage/partners.hpp"

#include "data/part_fixtures.hpp"

#include "assay/base/random.hpp"
#include "assay/data/dataset_writer.hpp"

#include <algorithm>
#include <cmath>
#include <set>

using namespace assay;
using namespace assay::usage;
using data::DatasetInfo;
using data::Samples;
using data::SampleType;
using data::View;
using namespace assay::data::test;

namespace {

using Numbers = std::vector<std::uint64_t>;

// A view of all samples of a new file
View view_of(TempDir const& dir, Numbers const& ids, std::vector<std::int64_t> const& labels,
             data::LabelNoise noise = {}) {
    return {write_part(dir / "suspects.h5", ids, labels), data::Rows::all(ids.size()), noise};
}

using Near = std::array<std::uint64_t, kSteps>;

// The neighbours of every suspect, in their order
std::vector<Near> neighbours(View const& view, std::uint64_t seed) {
    Neighbourhoods neighbourhoods(view, seed);
    std::vector<Near> found(view.size());
    for (std::size_t i = 0; i < found.size(); ++i)
        found[i] = neighbourhoods.of(i);
    return found;
}

// A new file of such samples, all of one shape
View view_of_values(TempDir const& dir, DatasetInfo info, std::vector<std::byte> const& values,
                    std::vector<std::int64_t> const& labels) {
    info.size = labels.size();
    data::DatasetWriter writer(dir / "values.h5", info, true);
    writer.append(values, labels);
    writer.finish();
    return {std::make_shared<data::Dataset const>(dir / "values.h5"), data::Rows::all(labels.size())};
}

Numbers ids_from(std::uint64_t first, std::size_t count) {
    Numbers ids(count);
    std::iota(ids.begin(), ids.end(), first);
    return ids;
}

DatasetInfo const kBytes{0, {1, 20, 50}, SampleType::uint8, "NCHW", true};
DatasetInfo const kFloats{0, {3}, SampleType::float32, "NC", true};

// What read_for_mixing() would return for n suspects: parts of one sample per suspect each
Samples byte_parts(Numbers const& ids, std::array<std::uint8_t, kRungs> const& values) {
    Samples read;
    for (std::size_t part = 0; part < kRungs; ++part)
        for (std::uint64_t id : ids) {
            read.ids.push_back(1000 * part + id);
            read.labels.push_back(static_cast<std::int64_t>(id % 3));
            read.values.insert(read.values.end(), kBytes.sample_bytes(), std::byte{values[part]});
        }
    return read;
}

std::vector<double> bytes_in(Samples const& samples) {
    std::vector<double> values;
    for (std::byte byte : samples.values)
        values.push_back(std::to_integer<int>(byte));
    return values;
}

double mean(std::vector<double> const& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::vector<float> floats_in(Samples const& samples) {
    std::vector<float> values(samples.values.size() / sizeof(float));
    std::memcpy(values.data(), samples.values.data(), samples.values.size());
    return values;
}

// Rungs of what read_for_mixing() reads
std::array<Samples, kRungs> make_rungs(Samples const& read, DatasetInfo const& info, std::uint64_t seed) {
    std::array<Samples, kRungs> rungs;
    for (std::size_t k = 0; k < kRungs; ++k)
        rungs[k] = part_of(read, k, kRungs);
    mix_rungs(rungs, info, seed);
    return rungs;
}

} // namespace

// All pairs compared, by the definition
TEST(Neighbourhoods, AreTheNearestOfTheClass) {
    TempDir const dir;
    constexpr std::size_t kSize = 60, kWidth = 12;
    std::vector<std::int64_t> labels;
    Random random(3, "test");
    for (std::size_t i = 0; i < kSize; ++i)
        labels.push_back(static_cast<std::int64_t>(random.below(3)));
    auto const expect_nearest = [&](View const& view, auto const& at) {
        std::vector<Near> const found = neighbours(view, 3);
        for (std::size_t i = 0; i < kSize; ++i) {
            std::vector<std::pair<double, std::uint64_t>> all;
            for (std::size_t j = 0; j < kSize; ++j) {
                double squared = 0;
                for (std::size_t c = 0; c < kWidth; ++c)
                    squared += (at(i, c) - at(j, c)) * (at(i, c) - at(j, c));
                if (j != i && labels[j] == labels[i])
                    all.emplace_back(squared, j);
            }
            std::ranges::sort(all);
            std::set<std::uint64_t> wanted;
            for (std::size_t k = 0; k < kSteps; ++k)
                wanted.insert(all[k].second);
            EXPECT_EQ(std::set<std::uint64_t>(found[i].begin(), found[i].end()), wanted) << i;
        }
    };
    std::vector<std::byte> bytes;
    std::vector<float> floats;
    for (std::size_t n = 0; n < kSize * kWidth; ++n) {
        bytes.push_back(static_cast<std::byte>(random.below(256)));
        floats.push_back(static_cast<float>(random.normal()));
    }
    expect_nearest(view_of_values(dir, {0, {kWidth}, SampleType::uint8, "NC", true}, bytes, labels),
                   [&](std::size_t i, std::size_t c) { return std::to_integer<int>(bytes[i * kWidth + c]); });
    auto const raw = std::as_bytes(std::span(floats));
    expect_nearest(
        view_of_values(dir, {0, {kWidth}, SampleType::float32, "NC", true}, {raw.begin(), raw.end()}, labels),
        [&](std::size_t i, std::size_t c) { return double{floats[i * kWidth + c]}; });
}

// Of long rows, too, whose differences do not fit into 32 bits
TEST(Neighbourhoods, SumWideSamples) {
    TempDir const dir;
    constexpr std::size_t kWidth = 100000;
    std::vector<std::byte> bytes;
    for (std::uint8_t value : {0, 255, 100, 120, 200, 220}) // of 0: nearest 100, 120, 200, 220
        bytes.insert(bytes.end(), kWidth, std::byte{value});
    Near const found = neighbours(view_of_values(dir, {0, {kWidth}, SampleType::uint8, "NC", true}, bytes,
                                                 std::vector<std::int64_t>(6, 1)),
                                  1)[0];
    EXPECT_EQ(std::set<std::uint64_t>(found.begin(), found.end()), (std::set<std::uint64_t>{2, 3, 4, 5}));
}

// The farthest last, the others in any order
TEST(Neighbourhoods, ComeInAnOrderDrawnFromTheId) {
    TempDir const dir;
    constexpr std::size_t kSize = 400;
    std::vector<std::byte> bytes; // sample i is i twos and 400 - i ones: its neighbours in the file are near
    for (std::size_t i = 0; i < kSize; ++i)
        for (std::size_t c = 0; c < kSize; ++c)
            bytes.push_back(static_cast<std::byte>(c < i ? 2 : 1));
    View const view = view_of_values(dir, {0, {kSize}, SampleType::uint8, "NC", true}, bytes,
                                     std::vector<std::int64_t>(kSize, 1));
    std::vector<Near> const found = neighbours(view, 3);
    EXPECT_EQ(found, neighbours(view, 3));
    EXPECT_NE(found, neighbours(view, 4));
    std::array<int, 3> first_comes{};
    for (std::uint64_t i = 2; i + 2 < kSize; ++i) {
        EXPECT_EQ(found[i][3], i + 2); // equal distances by id: i - 1, i + 1, i - 2, i + 2
        std::array<std::uint64_t, 3> const others{i - 1, i + 1, i - 2};
        auto const place = std::ranges::find(others, found[i][0]) - others.begin();
        ASSERT_LT(place, 3);
        ++first_comes[static_cast<std::size_t>(place)];
    }
    for (int count : first_comes)
        EXPECT_NEAR(count, 132, 5 * std::sqrt(396. * 2 / 9));
}

TEST(Neighbourhoods, FollowTheLabelsThatAreGiven) {
    TempDir const dir;
    View const view = view_of(dir, ids_from(0, 40), std::vector<std::int64_t>(40, 1), {0.5, 9, 2});
    ASSERT_GE(std::ranges::count(labels_of(view), 0), 5);
    std::vector<Near> const found = neighbours(view, 3);
    for (std::size_t i = 0; i < found.size(); ++i)
        for (std::uint64_t near : found[i])
            EXPECT_EQ(labels_of(view)[near], labels_of(view)[i]); // with their noise
}

TEST(Neighbourhoods, RefuseAClassOfLessThanFive) {
    TempDir const dir;
    View const view = view_of(dir, ids_from(0, 9), {0, 5, 0, 5, 0, 5, 0, 5, 0});
    expect_in(error_of(Exit::data, [&] { neighbours(view, 3); }),
              {"suspects.h5", "class 5 has 4", "suspects 0 to 8", "dataset.held_out"});
    EXPECT_EQ(neighbours(view_of(dir, ids_from(0, 5), {0, 0, 0, 0, 0}), 3).size(), 5U);
}

// Of more suspects than one block holds, each stays in its block and near itself, whichever is asked for
// first
TEST(Neighbourhoods, StayInTheirGroup) {
    TempDir const dir;
    constexpr std::uint64_t kBlock = 1 << 20, kSize = 2 * kBlock + 100;
    View const view = view_of_values(dir, {0, {1}, SampleType::uint8, "NC", true},
                                     std::vector<std::byte>(kSize), std::vector<std::int64_t>(kSize, 3));
    Neighbourhoods neighbourhoods(view, 1);
    EXPECT_EQ(neighbourhoods.blocks(), 2U);
    Near const late = neighbourhoods.of(kSize - 1), early = neighbourhoods.of(5);
    for (std::size_t k = 0; k < kSteps; ++k) {
        EXPECT_GE(late[k], kSize - 1024); // the last block takes the remainder
        EXPECT_LT(early[k], 1024U);
    }
    EXPECT_EQ(neighbourhoods.of(kSize - 1), late);
    EXPECT_EQ(neighbourhoods.of(5), early);
}

TEST(ReadForMixing, AppendsTheNeighboursOfEach) {
    TempDir const dir;
    View const view = view_of(dir, ids_from(50, 9), std::vector<std::int64_t>(9, 0));
    std::vector<Near> const near = neighbours(view, 3);
    Numbers expected{51, 52};
    for (std::size_t k = 0; k < kSteps; ++k)
        for (std::size_t i : {1, 2})
            expected.push_back(50 + near[i][k]);
    Neighbourhoods neighbourhoods(view, 3);
    EXPECT_EQ(read_for_mixing(view, neighbourhoods, 1, 3).ids, expected);
    EXPECT_TRUE(read_for_mixing(view, neighbourhoods, 2, 2).ids.empty());
}

TEST(MakeRungs, FloatsAreExactMeans) {
    // Two suspects; all halves, quarters and so on are exact in float32
    std::vector<std::vector<float>> const parts{{1, -2, 0.5F, 8, 1e20F, 3},
                                                {3, 2, 0.25F, -8, 3e20F, 3},
                                                {5, 0, 1, 4, 5e20F, 3},
                                                {7, 4, 2, 0, 7e20F, 3},
                                                {-1, 8, 4, 16, 2e20F, 3}};
    Samples read;
    for (std::vector<float> const& part : parts) {
        read.ids.insert(read.ids.end(), {70, 71});
        read.labels.insert(read.labels.end(), {4, 5});
        auto const bytes = std::as_bytes(std::span(part));
        read.values.insert(read.values.end(), bytes.begin(), bytes.end());
    }
    auto const rungs = make_rungs(read, kFloats, 1);
    std::vector<float> wanted = parts[0];
    EXPECT_EQ(floats_in(rungs[0]), wanted);
    for (std::size_t k = 1; k < kRungs; ++k)
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            wanted[i] = 0.5F * wanted[i] + 0.5F * parts[k][i];
            EXPECT_FLOAT_EQ(floats_in(rungs[k])[i], wanted[i]) << k << " " << i;
        }
}

TEST(MakeRungs, LargeFloatsDoNotOverflow) {
    float const huge = 3e38F;
    Samples read;
    for (std::size_t part = 0; part < kRungs; ++part) {
        read.ids.push_back(1);
        read.labels.push_back(0);
        std::vector<float> const sample(3, huge);
        auto const bytes = std::as_bytes(std::span(sample));
        read.values.insert(read.values.end(), bytes.begin(), bytes.end());
    }
    for (Samples const& rung : make_rungs(read, kFloats, 1))
        EXPECT_EQ(floats_in(rung), std::vector<float>(3, huge));
}

TEST(MakeRungs, AllCarryTheSuspectsIdsAndLabels) {
    Numbers const ids{7, 8, 12};
    auto const rungs = make_rungs(byte_parts(ids, {1, 2, 3, 4, 5}), kBytes, 1);
    for (Samples const& rung : rungs) {
        EXPECT_EQ(rung.ids, ids);
        EXPECT_EQ(rung.labels, (std::vector<std::int64_t>{1, 2, 0}));
        EXPECT_EQ(rung.values.size(), 3 * kBytes.sample_bytes());
    }
    EXPECT_EQ(bytes_in(rungs[0]), std::vector<double>(3000, 1));
}

TEST(MakeRungs, BytesWithAWholeMeanAreExact) {
    auto const rungs = make_rungs(byte_parts({7}, {10, 20, 255, 255, 5}), kBytes, 1);
    double const wanted[] = {10, 15, 135, 195, 100};
    for (std::size_t k = 0; k < kRungs; ++k)
        EXPECT_EQ(bytes_in(rungs[k]), std::vector<double>(1000, wanted[k])) << k;
    EXPECT_EQ(bytes_in(make_rungs(byte_parts({7}, {255, 255, 255, 255, 255}), kBytes, 1)[4]),
              std::vector<double>(1000, 255));
}

TEST(MakeRungs, OtherBytesAreRoundedWithoutBias) {
    std::vector<double> one, two;
    for (std::uint64_t id = 0; id < 20; ++id) {
        auto const rungs = make_rungs(byte_parts({id}, {10, 13, 20, 25, 30}), kBytes, 1); // 11.5, then 15.75
        for (double value : bytes_in(rungs[1]))
            one.push_back(value);
        for (double value : bytes_in(rungs[2]))
            two.push_back(value);
    }
    for (double value : one)
        ASSERT_TRUE(value == 11 || value == 12) << value;
    for (double value : two)
        ASSERT_TRUE(value == 15 || value == 16) << value;
    double const n = 20000; // 5 standard errors; 11 becomes 15 or 16 alike often, 12 becomes 16
    EXPECT_NEAR(mean(one), 11.5, 5 * 0.5 / std::sqrt(n));
    EXPECT_NEAR(mean(two), 15.75, 5 * 0.44 / std::sqrt(n));
}

TEST(MakeRungs, RoundingDependsOnSeedAndIdNotOnTheOtherSamples) {
    Samples const together = make_rungs(byte_parts({7, 8, 9}, {10, 13, 20, 25, 30}), kBytes, 1)[2];
    auto const alone = [](std::uint64_t id, std::uint64_t seed) {
        return bytes_in(make_rungs(byte_parts({id}, {10, 13, 20, 25, 30}), kBytes, seed)[2]);
    };
    std::vector<double> const all = bytes_in(together);
    EXPECT_EQ(alone(8, 1), std::vector<double>(all.begin() + 1000, all.begin() + 2000));
    EXPECT_NE(alone(8, 1), alone(8, 2));
    EXPECT_NE(alone(8, 1), alone(9, 1));
}
