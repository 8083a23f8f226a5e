#include "assay/valuation/lds.hpp"

#include "assay/base/random.hpp"
#include "assay/base/stats.hpp"
#include "data/fixtures.hpp"

#include <algorithm>
#include <cmath>

using namespace assay;
using namespace assay::valuation;
using namespace assay::data::test;

namespace {

using Values = std::vector<double>;
using Counts = std::vector<std::uint32_t>;
using Ids = std::vector<std::uint64_t>;

// Half of the rows each, by a coin
std::vector<std::uint8_t> random_masks(std::uint64_t subsets, std::uint64_t rows) {
    Random random(1, "test");
    std::vector<std::uint8_t> masks(subsets * rows);
    for (std::uint8_t& mask : masks)
        mask = random.below(2) == 1;
    return masks;
}

double plain_spearman(Values const& x, Values const& y) {
    auto const ranks = [](Values const& values) {
        Values result;
        for (double v : values) {
            double below = 0, equal = 0;
            for (double other : values) {
                below += other < v;
                equal += other == v;
            }
            result.push_back(below + (equal + 1) / 2);
        }
        return result;
    };
    Values const a = ranks(x), b = ranks(y);
    return covariance(a, b) / (sd(a) * sd(b));
}

fs::path write(fs::path const& path, std::vector<std::uint8_t> const& masks, Values const& outputs,
               std::uint64_t subsets) {
    store::Handle const file = store::create_file(path);
    store::Handle const m = store::create_dataset(file, "/masks", store::native_type<std::uint8_t>(),
                                                  {subsets, masks.size() / subsets});
    store::write_rows(m, 0, subsets, store::native_type<std::uint8_t>(), masks.data());
    store::Handle const o = store::create_dataset(file, "/outputs", store::native_type<double>(),
                                                  {subsets, outputs.size() / subsets});
    store::write_rows(o, 0, subsets, store::native_type<double>(), outputs.data());
    return path;
}

} // namespace

TEST(Spearman, MidRanksAndCounts) {
    Random random(2, "test");
    for (int repeat = 0; repeat < 100; ++repeat) {
        Values x(12), y(12), repeated_x, repeated_y;
        Counts counts(12);
        for (std::size_t s = 0; s < 12; ++s) {
            x[s] = static_cast<double>(random.below(5)); // with ties
            y[s] = static_cast<double>(random.below(7));
            counts[s] = static_cast<std::uint32_t>(random.below(4));
            for (std::uint32_t c = 0; c < counts[s]; ++c) {
                repeated_x.push_back(x[s]);
                repeated_y.push_back(y[s]);
            }
        }
        EXPECT_NEAR(spearman(x, y, Counts(12, 1)), plain_spearman(x, y), 1e-12);
        EXPECT_NEAR(spearman(x, y, counts), plain_spearman(repeated_x, repeated_y), 1e-12);
    }
    EXPECT_TRUE(std::isnan(spearman(Values{1, 1}, Values{1, 2}, Counts{1, 1})));
    EXPECT_TRUE(std::isnan(spearman(Values{1, 2}, Values{1, 2}, Counts{5, 0})));
}

TEST(SubsetModels, AddToTheSubsetsThatHaveARow) {
    constexpr std::uint64_t kSubsets = 70, kRows = 9; // more than one word
    std::vector<std::uint8_t> const masks = random_masks(kSubsets, kRows);
    SubsetModels const models(kSubsets, masks, Values(kSubsets, 0));
    Values sums(kSubsets, 0);
    models.add(3, 0.5, sums);
    models.add(8, 0.25, sums);
    for (std::uint64_t s = 0; s < kSubsets; ++s)
        EXPECT_EQ(sums[s], 0.5 * masks[s * kRows + 3] + 0.25 * masks[s * kRows + 8]);
}

TEST(SubsetModels, AreReadFromAFile) {
    TempDir const dir;
    std::vector<std::uint8_t> const masks = random_masks(5, 4);
    Values outputs(5 * 3);
    for (std::size_t i = 0; i < outputs.size(); ++i)
        outputs[i] = static_cast<double>(i);
    Ids const ids{3, 5, 7, 9}, generated{0, 1, 2};
    SubsetModels const models(write(dir / "lds.h5", masks, outputs, 5), ids, generated);
    EXPECT_EQ(models.subsets(), 5u);
    EXPECT_EQ(models.outputs(1, 2), (Values{1, 4, 7, 10, 13, 2, 5, 8, 11, 14}));
    EXPECT_EQ(SubsetModels(5, masks, outputs).outputs(1, 2), models.outputs(1, 2));
    Values sums(5, 0), wanted(5, 0);
    models.add(2, 1, sums);
    SubsetModels(5, masks, outputs).add(2, 1, wanted);
    EXPECT_EQ(sums, wanted);
}

TEST(SubsetModels, RefuseWhatDoesNotFit) {
    TempDir const dir;
    std::vector<std::uint8_t> masks = random_masks(5, 4);
    Values outputs(5 * 3, 1);
    fs::path const path = write(dir / "lds.h5", masks, outputs, 5);
    auto const message = [&](fs::path const& of, std::uint64_t rows, std::uint64_t queries) {
        Ids const ids(rows), generated(queries);
        return error_of(Exit::data, [&] { SubsetModels(of, ids, generated).outputs(0, queries); });
    };
    expect_in(message(path, 6, 3), {"lds.h5", "/masks", "uint8 [5, 4]", "uint8 [M, 6]"});
    expect_in(message(path, 4, 2), {"/outputs", "float64 [5, 3]", "[M, 2]"});
    masks[6] = 2;
    expect_in(message(write(dir / "two.h5", masks, outputs, 5), 4, 3), {"/masks[1, 2] is 2"});
    outputs[4] = std::nan("");
    expect_in(message(write(dir / "nan.h5", random_masks(5, 4), outputs, 5), 4, 3),
              {"/outputs[1, 1] is nan"});
    expect_in(message(write(dir / "few.h5", random_masks(2, 4), Values(6, 1), 2), 4, 3), {"at least 3"});
    expect_in(message(dir / "none.h5", 4, 3), {"no such file"});
}

TEST(SubsetModels, RefuseOtherSamples) {
    TempDir const dir;
    fs::path const path = write(dir / "lds.h5", random_masks(5, 4), Values(5 * 3, 1), 5);
    Ids const ids{3, 5, 7, 9}, generated{0, 1, 2};
    for (auto const& [name, values] : {std::pair{"/ids", ids}, std::pair{"/generated_ids", generated}}) {
        auto const type = store::native_type<std::uint64_t>();
        store::Handle const file = store::open_to_write(path);
        store::write_rows(store::create_dataset(file, name, type, {values.size()}), 0, values.size(), type,
                          values.data());
    }
    EXPECT_EQ(SubsetModels(path, ids, generated).subsets(), 5u);
    auto const message = [&](Ids const& training, Ids const& made) {
        return error_of(Exit::data, [&] { SubsetModels(path, training, made); });
    };
    expect_in(message({3, 5, 8, 9}, generated), {"lds.h5", "/ids[2] is 7", "id 8"});
    expect_in(message(ids, {0, 2, 1}), {"/generated_ids[1] is 1", "id 2"});
}

TEST(LdsSum, PerfectTurnedRoundAndConstant) {
    LdsSum sum(20, 50, 1), turned(20, 50, 1);
    Values x(20), y(20), minus(20);
    for (std::size_t s = 0; s < 20; ++s) {
        x[s] = static_cast<double>(s * 7 % 20);
        y[s] = std::exp(x[s]);
        minus[s] = -y[s];
    }
    sum.add(x, y);
    sum.add(x, y);
    turned.add(x, minus);
    EXPECT_EQ(sum.result(0.95).mean, 1);
    EXPECT_NEAR(sum.result(0.95).interval.first, 1, 1e-12);
    EXPECT_EQ(turned.result(0.95).mean, -1);
    sum.add(x, Values(20, 3));
    sum.add(Values(20, 3), y);
    Lds const found = sum.result(0.95);
    EXPECT_DOUBLE_EQ(found.mean, 0.5);
    EXPECT_EQ(found.constant, 2u);
    EXPECT_EQ(found.queries, 4u);
    EXPECT_DOUBLE_EQ(found.chance_sd, 1 / std::sqrt(19));
}

// Credit without meaning: mean 0, spread 1/sqrt(M - 1). All queries share the subsets, and here also what
// models put out, so that their mean varies as one query does: the interval has to know
TEST(LdsSum, RandomCreditHasNone) {
    constexpr std::uint64_t kSubsets = 64;
    int covered = 0;
    Values means;
    for (std::uint64_t set = 0; set < 200; ++set) {
        Random random(set, "test");
        LdsSum sum(kSubsets, 100, set);
        Values credit(kSubsets), put_out(kSubsets);
        for (std::size_t s = 0; s < kSubsets; ++s) {
            credit[s] = random.normal();
            put_out[s] = random.normal();
        }
        for (int j = 0; j < 10; ++j)
            sum.add(credit, put_out);
        Lds const found = sum.result(0.95);
        means.push_back(found.mean);
        covered += found.interval.first <= 0 && 0 <= found.interval.second;
    }
    EXPECT_NEAR(mean(means), 0, 0.03);
    EXPECT_NEAR(sd(means), 1 / std::sqrt(63.), 0.02);
    EXPECT_GE(covered, 178); // 95 %, less three standard errors and what percentile intervals lack at M = 64
}
