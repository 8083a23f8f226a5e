#include "assay/valuation/valuation.hpp"

#include "assay/base/stats.hpp"
#include "assay/valuation/outliers.hpp"
#include "data/fixtures.hpp"
#include "valuation/fixtures.hpp"

#include <cmath>

using namespace assay;
using namespace assay::valuation;
using namespace assay::valuation::test;
using assay::data::test::error_of;
using assay::data::test::expect_in;

namespace {

using Values = std::vector<double>;

std::vector<Temperature> const kModes{Temperature::perplexity, Temperature::median_gap, Temperature::paper,
                                      Temperature::uniform, Temperature::top1};

std::vector<std::int64_t> labels_of(std::size_t n, std::int64_t classes) {
    std::vector<std::int64_t> labels(n);
    for (std::size_t i = 0; i < n; ++i)
        labels[i] = static_cast<std::int64_t>(mix64(i) % static_cast<std::uint64_t>(classes));
    return labels;
}

ValuationInput example(std::int64_t k = 20, std::size_t rows = 150, std::size_t queries = 80) {
    ValuationInput input = input_of(naive_lists(random_points(1, rows), random_points(2, queries), k), rows);
    input.labels = labels_of(rows, 4);
    input.generated_labels = labels_of(queries, 4);
    for (std::size_t j = 0; j < queries; ++j)
        input.quality.push_back(static_cast<float>(mix64(j) % 100) / 64);
    return input;
}

// Credit by its definition, in floating point
Values naive_credit(ValuationInput const& input, ValuationOptions const& options,
                    Weighting const& weighting) {
    Neighbours const lists = input.neighbours.read(0, input.neighbours.queries);
    auto const stored = static_cast<std::size_t>(lists.k), k = static_cast<std::size_t>(options.k);
    Values credit(input.ids.size(), 0), weights(k);
    for (std::size_t j = 0; j < input.neighbours.queries; ++j) {
        weigh(weighting, std::span(lists.distances).subspan(j * stored, k), weights);
        for (std::size_t r = 0; r < k; ++r)
            credit[static_cast<std::size_t>(lists.rows[j * stored + r])] +=
                weights[r] * (options.quality == QualityMode::none ? 1 : input.quality[j]);
    }
    return credit;
}

} // namespace

// d = [[0, ln 2, 5], [ln 3, 0, 7]], k = 2, tau = 1, q = (1, 1/2): phi = (19/24, 17/24, 0)
TEST(Value, HandCase) {
    ValuationInput input = input_of({3, {0, 1, 2, 1, 0, 2}, {0, std::log(2), 5, 0, std::log(3), 7}}, 3);
    input.quality = {1, 0.5};
    Valuation const found =
        value(input, {.k = 2, .temperature = Temperature::paper, .quality = QualityMode::raw});
    EXPECT_NEAR(found.credit[0], 19. / 24, 1e-11);
    EXPECT_NEAR(found.credit[1], 17. / 24, 1e-11);
    EXPECT_EQ(found.credit[2], 0);
    EXPECT_EQ(found.total, 1.5);
    EXPECT_EQ(found.hits, (std::vector<std::int64_t>{2, 2, 0}));
    EXPECT_DOUBLE_EQ(found.coverage, 2. / 3);
    EXPECT_DOUBLE_EQ(found.mean_distance[0], std::log(3) / 2);
    EXPECT_DOUBLE_EQ(found.mean_distance[2], 6); // over the stored lists
    EXPECT_EQ(found.few_hits, 2u);
}

TEST(Value, AgreesWithTheDefinition) {
    ValuationInput const input = example();
    for (Temperature mode : kModes)
        for (QualityMode quality : {QualityMode::none, QualityMode::raw}) {
            ValuationOptions const options{.k = 12, .temperature = mode, .perplexity = 5, .quality = quality};
            Valuation const found = value(input, options);
            Values gaps;
            for (std::uint64_t j = 0; j < input.neighbours.queries; ++j) {
                Neighbours const list = input.neighbours.read(j, 1);
                gaps.push_back(list.distances[11] - list.distances[0]);
            }
            Weighting const weighting{mode, 5, quantile_sorted(sorted(gaps), 0.5)};
            Values const wanted = naive_credit(input, options, weighting);
            for (std::size_t i = 0; i < wanted.size(); ++i)
                ASSERT_NEAR(found.credit[i], wanted[i], 1e-9) << to_string(mode) << " " << i;
        }
}

// The credit of all rows, and of all groups, is that of all generated samples
TEST(Value, LosesNothingInAnyMode) {
    ValuationInput const input = example();
    for (Temperature mode : kModes)
        for (QualityMode quality : {QualityMode::none, QualityMode::raw, QualityMode::mean1}) {
            Valuation const found = value(input, {.k = 20, .temperature = mode, .quality = quality});
            double sum = 0, groups = 0;
            for (double credit : found.credit)
                sum += credit; // multiples of 2^-40 below 2^12: exact
            for (GroupCredit const& group : found.groupings.at(0).groups)
                groups += group.credit;
            EXPECT_EQ(sum, found.total);
            EXPECT_EQ(groups, found.total);
            if (quality != QualityMode::raw) {
                EXPECT_NEAR(found.total, 80, 1e-9);
            }
        }
}

TEST(Value, DuplicatesShareEvenly) {
    std::vector<Point> const training(40, Point{1, 2, 3, 4});
    ValuationInput const input = input_of(naive_lists(training, random_points(2, 30), 8), 40);
    for (Temperature mode : {Temperature::perplexity, Temperature::median_gap, Temperature::paper}) {
        Valuation const found = value(input, {.k = 8, .temperature = mode});
        for (std::size_t i = 0; i < 40; ++i)
            EXPECT_NEAR(found.credit[i], i < 8 ? 30. / 8 : 0, 8 * 30 * 0x1p-40); // the lowest rows
        EXPECT_DOUBLE_EQ(found.weights.effective_number, 8);
    }
}

TEST(Value, FollowsAPermutationOfTheRows) {
    std::vector<Point> const training = random_points(1, 100), queries = random_points(2, 60);
    std::vector<std::size_t> const order = keyed_order(ids_of(100), 3);
    std::vector<Point> permuted;
    for (std::size_t row : order)
        permuted.push_back(training[row]);
    Valuation const before = value(input_of(naive_lists(training, queries, 15), 100), {.k = 15});
    Valuation const after = value(input_of(naive_lists(permuted, queries, 15), 100), {.k = 15});
    for (std::size_t i = 0; i < 100; ++i) {
        EXPECT_EQ(after.credit[i], before.credit[order[i]]);
        EXPECT_EQ(after.standard_error[i], before.standard_error[order[i]]);
    }
}

TEST(Value, HasNoUnitsOfDistance) {
    std::vector<Point> training = random_points(1, 100), queries = random_points(2, 60);
    ValuationInput const before = input_of(naive_lists(training, queries, 15), 100);
    for (std::vector<Point>* points : {&training, &queries})
        for (Point& point : *points)
            for (double& x : point)
                x *= 4;
    ValuationInput const after = input_of(naive_lists(training, queries, 15), 100);
    for (Temperature mode : {Temperature::perplexity, Temperature::median_gap})
        EXPECT_EQ(value(before, {.k = 15, .temperature = mode}).credit,
                  value(after, {.k = 15, .temperature = mode}).credit);
    EXPECT_NE(value(before, {.k = 15, .temperature = Temperature::paper}).credit,
              value(after, {.k = 15, .temperature = Temperature::paper}).credit);
}

// However the lists are cut into pieces, and in whatever order other results are asked for
TEST(Value, DoesNotDependOnPieces) {
    ValuationInput input = example();
    Valuation const whole = value(input, {.k = 20});
    NeighbourLists const lists = input.neighbours;
    std::vector<std::uint64_t> asked;
    input.neighbours.read = [&](std::uint64_t begin, std::uint64_t count) {
        asked.push_back(count);
        return lists.read(begin, count);
    };
    Valuation const again = value(input, {.k = 20});
    EXPECT_EQ(again.credit, whole.credit);
    EXPECT_EQ(again.shapley->values, whole.shapley->values);
    EXPECT_LE(*std::ranges::max_element(asked), (1u << 18) / 20);
}

TEST(Value, PlantedClustersAreRecognised) {
    // Three clusters with a label each, far apart; outliers farther still
    std::vector<Point> training, queries;
    ValuationInput input;
    std::vector<std::int64_t> labels, generated_labels;
    std::vector<std::uint8_t> outliers;
    std::vector<Point> const noise = random_points(1, 360);
    for (std::size_t i = 0; i < 120; ++i) {
        auto const label = static_cast<std::int64_t>(i % 3);
        Point point = noise[i];
        point[0] += 1000 * static_cast<double>(label);
        training.push_back(point);
        labels.push_back(label);
        outliers.push_back(0);
    }
    for (std::size_t i = 120; i < 140; ++i) {
        Point point = noise[i];
        point[1] -= 1e6;
        training.push_back(point);
        labels.push_back(0);
        outliers.push_back(1);
    }
    for (std::size_t j = 140; j < 340; ++j) {
        auto const label = static_cast<std::int64_t>(j % 3);
        Point point = noise[j];
        point[0] += 1000 * static_cast<double>(label);
        queries.push_back(point);
        generated_labels.push_back(label);
    }
    input = input_of(naive_lists(training, queries, 30), training.size());
    input.labels = labels;
    input.generated_labels = generated_labels;
    Valuation const found = value(input, {.k = 30, .temperature = Temperature::uniform});
    for (Rate const& rate : found.identical_class->all.rates)
        EXPECT_EQ(rate.value, 1);
    EXPECT_NEAR(found.identical_class->all.weighted, 1, 1e-12);
    EXPECT_LT(found.identical_class->all.random.back().value, 0.5);
    EXPECT_EQ(found.identical_class->classes, (std::vector<std::int64_t>{0, 1, 2}));
    auto const outlier_scores = score_outliers(
        {found.credit, found.mean_distance, found.hits, found.pixel_hits, input.ids}, outliers, 0.95, 0);
    EXPECT_EQ(outlier_scores->coverage, 1);
    EXPECT_EQ(outlier_scores->credit.auroc, 1);
    EXPECT_EQ(outlier_scores->credit.average_precision, 1);
    EXPECT_EQ(outlier_scores->credit.precision, 1);
}

// f_s(z_j) = sum over the subset of exp(-d_ij), k = N, tau = 1: credit orders subsets exactly as the model
// does
TEST(Value, KernelMeanHasPerfectLds) {
    constexpr std::size_t kRows = 60, kQueries = 25, kSubsets = 40;
    ValuationInput input =
        input_of(naive_lists(random_points(1, kRows), random_points(2, kQueries), kRows), kRows);
    std::vector<std::uint8_t> masks(kSubsets * kRows);
    for (std::size_t i = 0; i < masks.size(); ++i)
        masks[i] = mix64(i) % 2 == 0;
    Values outputs(kSubsets * kQueries, 0);
    Neighbours const lists = input.neighbours.read(0, kQueries);
    for (std::size_t s = 0; s < kSubsets; ++s)
        for (std::size_t j = 0; j < kQueries; ++j)
            for (std::size_t r = 0; r < kRows; ++r)
                outputs[s * kQueries + j] +=
                    masks[s * kRows + static_cast<std::size_t>(lists.rows[j * kRows + r])] *
                    std::exp(-lists.distances[j * kRows + r]);
    ValuationOptions const options{.k = kRows, .temperature = Temperature::paper, .shapley_k = 0};
    input.subset_models.emplace(kSubsets, masks, outputs);
    EXPECT_EQ(value(input, options).lds->mean, 1);
    EXPECT_EQ(value(input, options).lds->sd, 0);
    for (double& output : outputs)
        output = -output;
    input.subset_models.emplace(kSubsets, masks, outputs);
    EXPECT_EQ(value(input, options).lds->mean, -1);
}

// Listed rows: the percentiles of phi_i^(b) = sum_j B_jb q_j w_ij, here with one query per row
TEST(Value, ListedRowsHaveIntervals) {
    ValuationInput const input = input_of({1, {2, 0, 2, 1, 2}, {1, 1, 1, 1, 1}}, 4);
    Valuation const found = value(input, {.k = 1, .confidence = 0.9, .bootstrap = 500, .listed = 2});
    ASSERT_EQ(found.top.size(), 2u);
    EXPECT_EQ(found.top[0].row, 2);
    EXPECT_EQ(found.top[1].row, 0); // as much as row 1, which comes later
    Values sums;
    for (std::size_t b = 0; b < 500; ++b) {
        double sum = 0;
        for (std::size_t j : {0, 2, 4}) {
            std::vector<std::uint8_t> counts(500);
            poisson_counts(0, input.generated_ids[j], counts);
            sum += counts[b];
        }
        sums.push_back(sum);
    }
    EXPECT_EQ(found.top[0].interval, percentile_interval(sums, 0.9));
}

TEST(Value, ConcentrationIsSplit) {
    // 20 rows, 2 of them at the top: row 0 by all queries, row 1 by those of one half
    Neighbours lists{2, {}, {}};
    ValuationInput input;
    for (std::size_t j = 0; j < 200; ++j) {
        bool const half = mix64(5 + j) % 2 == 0; // ids from 5 on
        lists.rows.insert(lists.rows.end(), {0, half ? 1 : static_cast<std::int64_t>(2 + j % 18)});
        lists.distances.insert(lists.distances.end(), {1, 1});
    }
    input = input_of(lists, 20);
    Valuation const found = value(input, {.k = 2, .temperature = Temperature::uniform});
    double const one = static_cast<double>(found.hits[1]) / 200;
    EXPECT_NEAR(found.concentration.share, 0.5 + one / 2, 0.02);
    EXPECT_LT(found.concentration.split_share, 0.56); // chosen by the other half, row 1 is worth nothing
    EXPECT_GE(found.concentration.split_share, 0.5);
}

TEST(Value, QualityMovesCredit) {
    ValuationInput input = input_of({1, {0, 1}, {1, 1}}, 2);
    input.labels = {0, 1};
    input.quality = {3, 1};
    Valuation const found = value(input, {.k = 1, .quality = QualityMode::mean1});
    EXPECT_EQ(found.credit, (Values{1.5, 0.5}));
    EXPECT_DOUBLE_EQ(found.quality_shift, 0.25);
    EXPECT_DOUBLE_EQ(found.groupings[0].groups[0].share, 0.75);
    EXPECT_DOUBLE_EQ(found.groupings[0].groups[0].share_without_quality, 0.5);
    EXPECT_TRUE(std::isnan(value(input, {.k = 1}).quality_shift));
}

TEST(Value, ShapleyNeedsLabelsAndLength) {
    ValuationInput input = example(4);
    EXPECT_FALSE(value(input, {.k = 4, .shapley_k = 5}).shapley.has_value());
    EXPECT_FALSE(value(input, {.k = 4, .shapley_k = 0}).shapley.has_value());
    Valuation const found = value(input, {.k = 2, .shapley_k = 4});
    EXPECT_EQ(found.shapley->error, 0.25); // from the stored lists
    EXPECT_EQ(found.suspects.size(), 100u);
    EXPECT_LE(found.shapley->values[static_cast<std::size_t>(found.suspects[0])],
              *std::ranges::min_element(found.shapley->values));
    input.generated_labels.assign(80, -1);
    EXPECT_FALSE(value(input, {.k = 4, .shapley_k = 4}).shapley.has_value());
    input = input_of(naive_lists(random_points(1, 6), random_points(2, 9), 6), 6);
    input.labels = labels_of(6, 2);
    input.generated_labels = labels_of(9, 2);
    EXPECT_EQ(value(input, {.k = 6, .shapley_k = 10}).shapley->error, 0); // all rows are listed
}

TEST(Value, AttributesAndPixels) {
    ValuationInput input = input_of({3, {0, 1, 2, 2, 1, 0}, {1, 2, 3, 1, 2, 3}}, 3);
    input.attributes = 2;
    input.attribute = {1, 0, 1, 1, 0, 1};
    input.generated_attribute = {1, 1, 0, 0};
    input.pixels = lists_of({1, {1, 0}, {1, 1}});
    Valuation const found = value(input, {.k = 2});
    ASSERT_EQ(found.identical_attribute.size(), 2u);
    Criterion const& first = found.identical_attribute[0];
    EXPECT_EQ(first.ks, (std::vector<std::int64_t>{1, 2}));
    EXPECT_DOUBLE_EQ(first.rates[0].value, 1);    // rows 0 and 2 have what queries 0 and 1 have
    EXPECT_DOUBLE_EQ(first.rates[1].value, 0.75); // (1, 1), (0, 1)
    EXPECT_DOUBLE_EQ(first.chance, 0.5);          // 2/3 x 1/2 + 1/3 x 1/2
    EXPECT_EQ(first.pixel_ks, std::vector<std::int64_t>{1});
    EXPECT_DOUBLE_EQ(first.pixels[0].value, 0.5); // row 1 for query 0, row 0 for query 1
    EXPECT_EQ(found.pixel_hits, (std::vector<std::int64_t>{1, 1, 0}));
    EXPECT_FALSE(found.identical_class.has_value());
    EXPECT_TRUE(found.groupings.empty());
}

TEST(Value, AuditUsesWhatListsThereAre) {
    ValuationInput input = example();
    EXPECT_FALSE(value(input, {.k = 20}).memorisation.nearer.has_value());
    input.to_held_out = lists_of({1, std::vector<std::int64_t>(80, 0), Values(80, 1e9)});
    Memorisation const one = value(input, {.k = 20}).memorisation;
    EXPECT_EQ(one.nearer->share, 1);
    EXPECT_TRUE(std::isnan(one.nearer->expected));
    EXPECT_FALSE(one.copying.has_value());
    input.held_out_to_training = lists_of({1, std::vector<std::int64_t>(50, 0), Values(50, 1e9)});
    Memorisation const both = value(input, {.k = 20}).memorisation;
    EXPECT_DOUBLE_EQ(both.nearer->expected, 0.75);
    EXPECT_EQ(both.copying->auc, 0);
    EXPECT_LT(both.copying->z, -8);
    EXPECT_EQ(both.duplicates, 0);
    EXPECT_FALSE(value(input, {.k = 20, .distance = "inner_product"}).memorisation.duplicates.has_value());
}

TEST(Value, ApproximateListsAreComparedWithExactOnes) {
    // Query 1 misses row 1 and has row 3 instead; query 3, row 5 instead of 4, which is as far
    ValuationInput input = input_of({2, {0, 1, 0, 3, 4, 5, 2, 5}, {1, 2, 1, 3, 1, 2, 1, 2}}, 6);
    input.labels = {0, 0, 1, 1, 0, 1};
    input.generated_labels = {0, 0, 0, 0};
    ValuationOptions const options{.k = 2, .temperature = Temperature::uniform, .shapley_k = 2};
    EXPECT_EQ(value(input, options).shapley->error, 0.5);
    input.exact = {{1, 3}, lists_of({2, {0, 1, 2, 4}, {1, 2, 1, 2}})};
    Valuation const found = value(input, options);
    SearchCheck const& check = found.approximate.value();
    EXPECT_EQ(check.queries, 2u);
    EXPECT_EQ(check.recall.value, 0.75);
    EXPECT_EQ(check.recall.standard_error, 0.25); // sd sqrt(1/8) over sqrt(2)
    EXPECT_EQ(check.minimum, 0.5);
    EXPECT_EQ(check.fifth_percentile, 0.5);
    EXPECT_EQ(check.changed, 1);
    EXPECT_EQ(check.credit_moved, 0.5);             // half of either's credit
    EXPECT_EQ(check.class_change, 1. / 4 - 3. / 4); // of four rows each: 0 | of 0, 1 and 4
    EXPECT_FALSE(found.reranked.has_value());
    EXPECT_TRUE(std::isnan(found.shapley->error)); // a nearer row may be missing
    input.doubled = std::exchange(input.exact, {});
    EXPECT_EQ(value(input, options).reranked->credit_moved, 0.5);
    EXPECT_FALSE(value(input, options).approximate.has_value());
    auto const said = [](Valuation const& valuation) {
        return fmt::format("{}", fmt::join(statements(valuation), "\n"));
    };
    expect_in(said(found),
              {"recall@2 is 0.7500 (standard error 0.25) over 2 generated samples, 0.5000 at the 5th",
               "move 50.0 % of the credit of these, and change identical class at k by +0.5.",
               "found among the k nearest", "is unknown"});
    input.quality = {1, 0, 1, 0}; // the checked samples have nothing to give
    input.exact = std::exchange(input.doubled, {});
    ValuationOptions weighed = options;
    weighed.quality = QualityMode::raw;
    expect_in(said(value(input, weighed)), {"move none of the credit"});
    input.exact = {{0, 1, 2, 3}, input.neighbours}; // all of them, and none is another
    Valuation const same = value(input, options);
    EXPECT_EQ(same.approximate->recall.value, 1);
    EXPECT_EQ(same.approximate->recall.standard_error, 0); // of no draw
    EXPECT_EQ(said(same).find("change identical class"), std::string::npos);
}

TEST(Value, DistancesAreThoseToGeneratedSamplesWhereTheyAreKnown) {
    ValuationInput input = input_of({1, {0, 1}, {1, 1}}, 3);
    input.to_generated = lists_of({2, {0, 1, 1, 0, 0, 1}, {1, 3, 1, 5, 6, 8}});
    EXPECT_EQ(value(input, {.k = 1}).mean_distance, (Values{2, 3, 7}));
    input.to_generated = lists_of({1, {0, 1}, {1, 1}});
    expect_in(error_of(Exit::data, [&] { value(input, {.k = 1}); }),
              {"2 lists of generated neighbours for 3 samples"});
}

TEST(Value, RefusesWhatDoesNotFit) {
    ValuationInput input = example();
    auto const usage = [&](ValuationOptions const& options) {
        return error_of(Exit::usage, [&] { value(input, options); });
    };
    expect_in(usage({.k = 21}), {"valuation.k=21", "hold 20"});
    expect_in(usage({.k = 0}), {"valuation.k=0"});
    expect_in(usage({.k = 2, .perplexity = 0.5}), {"valuation.perplexity=0.5"});
    expect_in(usage({.k = 2, .confidence = 0.5}), {"valuation.confidence=0.5"});
    expect_in(usage({.k = 2, .bootstrap = 0}), {"valuation.bootstrap=0"});
    input.quality.assign(80, 0);
    auto const data = [&](QualityMode quality = QualityMode::none) {
        return error_of(Exit::data, [&] { value(input, {.k = 2, .quality = quality}); });
    };
    expect_in(data(QualityMode::raw), {"every quality is 0"});
    input.quality.clear();
    expect_in(usage({.k = 2, .quality = QualityMode::raw}), {"/generated/quality"});
    input.generated_ids[3] = input.generated_ids[2];
    expect_in(data(), {"id 7 comes twice among the generated"});
    input = example();
    input.ids[1] = input.ids[0];
    expect_in(data(), {"id 1000 comes twice among the training"});
    input = example();
    input.labels.pop_back();
    expect_in(data(), {"149 training labels for 150 samples"});
    input = ValuationInput{};
    expect_in(data(), {"0 training and 0 generated samples"});
}

TEST(Statements, SayWhatNumbersRestOn) {
    Valuation found = value(example(), {.k = 20});
    std::string all;
    for (std::string const& statement : statements(found))
        all += statement + "\n";
    expect_in(all,
              {"not causal influence", "feature space", "finite generated sample only", "coverage is ",
               "5-nearest-neighbour classifier", "at most 0.05", "need not be a copy", "test the features"});
    EXPECT_EQ(all.find("A group's credit"), std::string::npos);
    EXPECT_EQ(all.find("approximate"), std::string::npos);
}
