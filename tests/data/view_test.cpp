#include "assay/data/view.hpp"

#include "data/part_fixtures.hpp"

using namespace assay;
using namespace assay::data;
using namespace assay::data::test;

namespace {

std::vector<std::uint64_t> const kIds{10, 11, 12, 13, 14, 15};
std::vector<std::int64_t> const kLabels{0, 1, 2, 0, 1, 2};

std::vector<std::uint64_t> values_in(Samples const& samples) {
    std::vector<std::uint64_t> firsts;
    for (std::size_t at = 0; at < samples.values.size(); at += kPartInfo.sample_bytes()) {
        float first = 0;
        std::memcpy(&first, samples.values.data() + at, sizeof first);
        firsts.push_back(static_cast<std::uint64_t>(first));
    }
    return firsts;
}

} // namespace

TEST(View, ShowsItsRowsAscending) {
    TempDir const dir;
    View const view(write_part(dir / "d.h5", kIds, kLabels), some_rows({4, 0, 5}));
    EXPECT_EQ(view.size(), 3U);
    EXPECT_EQ(ids_of(view), (std::vector<std::uint64_t>{10, 14, 15}));
    EXPECT_EQ(labels_of(view), (std::vector<std::int64_t>{0, 1, 2}));
    EXPECT_EQ(view.ids(1, 3), (std::vector<std::uint64_t>{14, 15}));
    EXPECT_EQ(view.labels(2, 2), std::vector<std::int64_t>());
    Samples const all = view.read(0, 3);
    EXPECT_EQ(all.ids, ids_of(view));
    EXPECT_EQ(all.labels, labels_of(view));
    EXPECT_EQ(values_in(all), ids_of(view)); // each sample begins with its own id
    EXPECT_EQ(values_in(view.read(1, 2)), (std::vector<std::uint64_t>{14}));
    EXPECT_TRUE(view.read(2, 2).ids.empty());
}

TEST(View, ReadsPositionsInTheirOrderAndRepeatedly) {
    TempDir const dir;
    View const view(write_part(dir / "d.h5", kIds, kLabels), some_rows({2, 3, 4, 5}));
    std::vector<std::uint64_t> const positions{3, 0, 0, 1};
    Samples const samples = view.read(positions);
    EXPECT_EQ(samples.ids, (std::vector<std::uint64_t>{15, 12, 12, 13}));
    EXPECT_EQ(values_in(samples), samples.ids);
    EXPECT_EQ(samples.labels, (std::vector<std::int64_t>{2, 2, 2, 0}));
}

TEST(View, MarksExactlyTheReplacedLabels) {
    TempDir const dir;
    std::vector<std::uint64_t> ids(300);
    std::iota(ids.begin(), ids.end(), 0U);
    View const view(write_part(dir / "d.h5", ids, std::vector<std::int64_t>(300, 4)), Rows::all(300),
                    {0.5, 1, 10});
    std::vector<std::uint8_t> const replaced = view.mislabelled(0, 300);
    ASSERT_EQ(replaced.size(), 300U);
    for (std::size_t i = 0; i < 300; ++i)
        EXPECT_EQ(replaced[i] != 0, labels_of(view)[i] != 4) << i;
    EXPECT_EQ(view.read(0, 300).labels, labels_of(view));
    EXPECT_EQ(view.mislabelled(7, 9), std::vector<std::uint8_t>(replaced.begin() + 7, replaced.begin() + 9));
}

TEST(View, WithoutLabelsHasNone) {
    TempDir const dir;
    View const view(write_part(dir / "d.h5", kIds, {}), some_rows({1, 2}), {0.5, 1, 10});
    EXPECT_TRUE(labels_of(view).empty());
    EXPECT_TRUE(view.mislabelled(0, 2).empty());
    EXPECT_TRUE(view.read(0, 2).labels.empty());
    EXPECT_EQ(view.read(0, 2).ids, (std::vector<std::uint64_t>{11, 12}));
}

TEST(LabelNoise, ZeroShareKeepsAndFullShareAlwaysReplaces) {
    LabelNoise const none{0, 1, 10}, all{1, 1, 10}, two{1, 1, 2}, one{1, 1, 1};
    for (std::uint64_t id = 0; id < 200; ++id)
        for (std::int64_t label = 0; label < 10; ++label) {
            EXPECT_EQ(none.label(label, id), label);
            EXPECT_NE(all.label(label, id), label);
            EXPECT_GE(all.label(label, id), 0);
            EXPECT_LT(all.label(label, id), 10);
            EXPECT_EQ(two.label(label % 2, id), 1 - label % 2);
            EXPECT_EQ(one.label(0, id), 0); // there is no other class
        }
}

TEST(LabelNoise, ReplacesTheShareByAnyOtherClassAlike) {
    constexpr int kDraws = 8000;
    LabelNoise const noise{0.25, 9, 5};
    std::vector<int> seen(5);
    for (std::uint64_t id = 0; id < kDraws; ++id)
        ++seen[static_cast<std::size_t>(noise.label(2, id))];
    EXPECT_NEAR(kDraws - seen[2], 2000, 5 * 38.7); // 5 sd of a binomial
    for (std::size_t other : {0U, 1U, 3U, 4U})
        EXPECT_NEAR(seen[other], 500, 5 * 21.7) << other;
}

TEST(LabelNoise, DependsOnSeedAndIdAlone) {
    LabelNoise const noise{0.5, 9, 10}, same{0.5, 9, 10}, other{0.5, 10, 10};
    int differ = 0;
    for (std::uint64_t id = 0; id < 200; ++id) {
        EXPECT_EQ(noise.label(3, id), same.label(3, id));
        differ += noise.label(3, id) != other.label(3, id);
    }
    EXPECT_GT(differ, 50);
}
