#include "assay/usage/partners.hpp"

#include "data/part_fixtures.hpp"

#include <cmath>
#include <map>
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

// The successor of every suspect
Numbers successors(View const& view, std::uint64_t seed) {
    MixingCycles cycles(view, seed);
    Numbers next(view.size());
    for (std::size_t i = 0; i < next.size(); ++i)
        next[i] = cycles.next(i);
    return next;
}

Numbers ids_from(std::uint64_t first, std::size_t count) {
    Numbers ids(count);
    std::iota(ids.begin(), ids.end(), first);
    return ids;
}

// Labels of three classes of 10, 4 and 7, interleaved
std::vector<std::int64_t> three_classes() {
    std::vector<std::int64_t> labels;
    for (std::int64_t i = 0; i < 10; ++i)
        for (std::int64_t label : {0, 1, 2})
            if (i < std::array<std::int64_t, 3>{10, 4, 7}[static_cast<std::size_t>(label)])
                labels.push_back(label);
    return labels;
}

DatasetInfo const kBytes{0, {1, 20, 50}, SampleType::uint8, "NCHW", true};
DatasetInfo const kFloats{0, {3}, SampleType::float32, "NC", true};

// What read_for_mixing() would return for n suspects: four parts, each of one sample per suspect
Samples byte_quarters(Numbers const& ids, std::array<std::uint8_t, 4> const& values) {
    Samples read;
    for (std::size_t part = 0; part < 4; ++part)
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

} // namespace

TEST(MixingCycles, WalkThroughEachWholeClass) {
    TempDir const dir;
    std::vector<std::int64_t> const labels = three_classes();
    View const view = view_of(dir, ids_from(50, labels.size()), labels);
    Numbers const next = successors(view, 3);
    ASSERT_EQ(next.size(), labels.size());
    for (std::size_t start = 0; start < next.size(); ++start) {
        std::set<std::uint64_t> visited;
        for (std::uint64_t at = start; visited.insert(at).second; at = next[at])
            ASSERT_EQ(labels[at], labels[start]);
        EXPECT_EQ(static_cast<long>(visited.size()), std::count(labels.begin(), labels.end(), labels[start]));
    }
    EXPECT_EQ(std::set<std::uint64_t>(next.begin(), next.end()).size(), next.size()); // a permutation
}

TEST(MixingCycles, DependOnIdsAndSeedAlone) {
    TempDir const dir;
    std::vector<std::int64_t> labels = three_classes();
    Numbers ids = ids_from(50, labels.size());
    auto const by_ids = [&](std::uint64_t seed) {
        View const view = view_of(dir, ids, labels);
        Numbers const next = successors(view, seed);
        std::map<std::uint64_t, std::uint64_t> by_id;
        for (std::size_t i = 0; i < next.size(); ++i)
            by_id[ids[i]] = ids[next[i]];
        return by_id;
    };
    auto const before = by_ids(3);
    std::reverse(ids.begin(), ids.end());
    std::reverse(labels.begin(), labels.end());
    EXPECT_EQ(by_ids(3), before);
    EXPECT_NE(by_ids(4), before);
}

TEST(MixingCycles, FollowTheLabelsThatAreGiven) {
    TempDir const dir;
    View const view = view_of(dir, ids_from(0, 40), std::vector<std::int64_t>(40, 1), {0.5, 9, 2});
    ASSERT_GE(std::ranges::count(labels_of(view), 0), 4);
    Numbers const next = successors(view, 3);
    for (std::size_t i = 0; i < next.size(); ++i)
        EXPECT_EQ(labels_of(view)[next[i]], labels_of(view)[i]); // with their noise
}

TEST(MixingCycles, RefuseAClassOfLessThanFour) {
    TempDir const dir;
    View const view = view_of(dir, ids_from(0, 7), {0, 5, 0, 5, 0, 5, 0});
    expect_in(error_of(Exit::data, [&] { successors(view, 3); }),
              {"suspects.h5", "class 5 has 3", "suspects 0 to 6", "dataset.held_out"});
    EXPECT_EQ(successors(view_of(dir, ids_from(0, 4), {0, 0, 0, 0}), 3).size(), 4U);
}

// Of more suspects than one block holds, each stays in its block, whichever is asked for first
TEST(MixingCycles, StayInTheirBlock) {
    TempDir const dir;
    constexpr std::uint64_t kBlock = 1 << 20, kSize = 2 * kBlock + 100;
    data::DatasetInfo const byte{kSize, {1}, SampleType::uint8, "NC", true};
    data::DatasetWriter writer(dir / "large.h5", byte, true);
    writer.append(std::vector<std::byte>(kSize), std::vector<std::int64_t>(kSize, 3));
    writer.finish();
    View const view(std::make_shared<data::Dataset const>(dir / "large.h5"), data::Rows::all(kSize));
    MixingCycles cycles(view, 1);
    EXPECT_EQ(cycles.blocks(), 2U);
    std::uint64_t const late = cycles.next(kSize - 1), early = cycles.next(5);
    EXPECT_GE(late, kBlock); // the last block takes the remainder
    EXPECT_LT(early, kBlock);
    EXPECT_EQ(cycles.next(kSize - 1), late);
    EXPECT_EQ(cycles.next(5), early);
}

TEST(ReadForMixing, AppendsThreeSuccessorsOfEach) {
    TempDir const dir;
    View const view = view_of(dir, ids_from(50, 6), std::vector<std::int64_t>(6, 0));
    Numbers const next = successors(view, 3);
    Numbers expected{51, 52};
    for (std::size_t i = 0; i < 6; ++i)
        expected.push_back(50 + next[expected[i] - 50]);
    MixingCycles cycles(view, 3);
    EXPECT_EQ(read_for_mixing(view, cycles, 1, 3).ids, expected);
    EXPECT_TRUE(read_for_mixing(view, cycles, 2, 2).ids.empty());
}

TEST(Mix, FloatsAreExactMeans) {
    // Two suspects: x, x1, x2, x3 of each are a, b, c, d; all halves and quarters are exact in float32
    std::vector<float> const a{1, -2, 0.5F, 8, 1e20F, 3}, b{3, 2, 0.25F, -8, 3e20F, 3},
        c{5, 0, 1, 4, 5e20F, 3}, d{7, 4, 2, 0, 7e20F, 3};
    Samples read;
    for (auto const* part : {&a, &b, &c, &d}) {
        read.ids.insert(read.ids.end(), {70, 71});
        read.labels.insert(read.labels.end(), {4, 5});
        auto const bytes = std::as_bytes(std::span(*part));
        read.values.insert(read.values.end(), bytes.begin(), bytes.end());
    }
    Mixed const mixed = mix(read, kFloats, 1);
    EXPECT_EQ(floats_in(mixed.suspect), a);
    for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_FLOAT_EQ(floats_in(mixed.partner)[i], 0.5F * (a[i] + b[i])) << i;
        EXPECT_FLOAT_EQ(floats_in(mixed.control)[i], 0.25F * (a[i] + b[i] + c[i] + d[i])) << i;
    }
}

TEST(Mix, LargeFloatsDoNotOverflow) {
    float const huge = 3e38F;
    Samples read;
    for (int part = 0; part < 4; ++part) {
        read.ids.push_back(1);
        read.labels.push_back(0);
        std::vector<float> const sample(3, huge);
        auto const bytes = std::as_bytes(std::span(sample));
        read.values.insert(read.values.end(), bytes.begin(), bytes.end());
    }
    Mixed const mixed = mix(read, kFloats, 1);
    EXPECT_EQ(floats_in(mixed.partner), std::vector<float>(3, huge));
    EXPECT_EQ(floats_in(mixed.control), std::vector<float>(3, huge));
}

TEST(Mix, AllThreeCarryTheSuspectsIdsAndLabels) {
    Numbers const ids{7, 8, 12};
    Mixed const mixed = mix(byte_quarters(ids, {1, 2, 3, 4}), kBytes, 1);
    for (Samples const* samples : {&mixed.suspect, &mixed.partner, &mixed.control}) {
        EXPECT_EQ(samples->ids, ids);
        EXPECT_EQ(samples->labels, (std::vector<std::int64_t>{1, 2, 0}));
        EXPECT_EQ(samples->values.size(), 3 * kBytes.sample_bytes());
    }
    EXPECT_EQ(bytes_in(mixed.suspect), std::vector<double>(3000, 1));
}

TEST(Mix, BytesWithAWholeMeanAreExact) {
    Mixed const mixed = mix(byte_quarters({7}, {10, 20, 255, 255}), kBytes, 1);
    EXPECT_EQ(bytes_in(mixed.partner), std::vector<double>(1000, 15));
    EXPECT_EQ(bytes_in(mixed.control), std::vector<double>(1000, 135));
    EXPECT_EQ(bytes_in(mix(byte_quarters({7}, {255, 255, 255, 255}), kBytes, 1).control),
              std::vector<double>(1000, 255));
}

TEST(Mix, OtherBytesAreRoundedWithoutBias) {
    std::vector<double> partner, control;
    for (std::uint64_t id = 0; id < 20; ++id) {
        Mixed const mixed = mix(byte_quarters({id}, {10, 13, 20, 25}), kBytes, 1); // means 11.5, 22.5 and 17
        for (double value : bytes_in(mixed.partner))
            partner.push_back(value);
        for (double value : bytes_in(mixed.control))
            control.push_back(value);
    }
    for (double value : partner)
        ASSERT_TRUE(value == 11 || value == 12) << value;
    for (double value : control)
        ASSERT_NEAR(value, 17, 1);
    double const n = 20000; // 5 standard errors: sd 0.5, and of the control at most 0.61
    EXPECT_NEAR(mean(partner), 11.5, 5 * 0.5 / std::sqrt(n));
    EXPECT_NEAR(mean(control), 17, 5 * 0.61 / std::sqrt(n));
    // The two means are rounded independently: they sum to 33, 34, 34 or 35, all alike likely, and half of
    // that is 17 always, or half the time
    EXPECT_NEAR(static_cast<double>(std::count(control.begin(), control.end(), 17)) / n, 0.75,
                5 * 0.5 / std::sqrt(n));
}

TEST(Mix, RoundingDependsOnSeedAndIdNotOnTheOtherSamples) {
    Samples const together = mix(byte_quarters({7, 8, 9}, {10, 13, 20, 25}), kBytes, 1).control;
    auto const alone = [](std::uint64_t id, std::uint64_t seed) {
        return bytes_in(mix(byte_quarters({id}, {10, 13, 20, 25}), kBytes, seed).control);
    };
    std::vector<double> const all = bytes_in(together);
    EXPECT_EQ(alone(8, 1), std::vector<double>(all.begin() + 1000, all.begin() + 2000));
    EXPECT_NE(alone(8, 1), alone(8, 2));
    EXPECT_NE(alone(8, 1), alone(9, 1));
}
