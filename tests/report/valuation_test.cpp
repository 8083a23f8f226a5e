#include "assay/report/valuation.hpp"

#include "data/fixtures.hpp"
#include "valuation/fixtures.hpp"

#include <cmath>

using namespace assay;
using namespace assay::report;
using namespace assay::valuation;
using namespace assay::valuation::test;
using assay::data::test::error_of;
using assay::data::test::expect_in;
using assay::data::test::TempDir;
using nlohmann::ordered_json;

namespace {

// Two classes of two rows each; all credit is the first class's
ValuationInput example() {
    ValuationInput input = input_of({2, {0, 1, 1, 0, 0, 2}, {1, 2, 1, 3, 0, 9}}, 4);
    input.labels = {3, 3, 8, 8};
    input.generated_labels = {3, 3, 8};
    return input;
}

// The same ten times over
ValuationInput many() {
    ValuationInput const once = example();
    Neighbours const few = once.neighbours.read(0, once.neighbours.queries);
    Neighbours lists{few.k, {}, {}};
    std::vector<std::int64_t> labels;
    for (int repeat = 0; repeat < 10; ++repeat) {
        lists.rows.insert(lists.rows.end(), few.rows.begin(), few.rows.end());
        lists.distances.insert(lists.distances.end(), few.distances.begin(), few.distances.end());
        labels.insert(labels.end(), once.generated_labels.begin(), once.generated_labels.end());
    }
    ValuationInput input = input_of(lists, once.ids.size());
    input.labels = once.labels;
    input.generated_labels = labels;
    return input;
}

Valuation valued(ValuationInput const& input, ValuationOptions options = {.k = 1, .shapley_k = 1}) {
    return value(input, options);
}

ValuationContext context_of(ValuationInput const& input) {
    return {"my run", input.ids, input.generated_ids, {}};
}

} // namespace

TEST(ValuationSummary, HoldsTheNumbers) {
    ValuationInput const input = example();
    ordered_json const all = summary(valued(input), context_of(input));
    EXPECT_EQ(all["name"], "my run");
    EXPECT_EQ(all["kind"], "valuation");
    ordered_json const& found = all["valuation"];
    EXPECT_EQ(found["coverage"], 0.5);
    EXPECT_EQ(found["class"][0]["value"], 3);
    EXPECT_EQ(found["class"][0]["share"], 1.0);
    EXPECT_EQ(found["class"][0]["lift"], 2.0);
    EXPECT_EQ(found["class"][1]["lift"], 0.0);
    EXPECT_FALSE(found["class"][0].contains("share_without_quality"));
    EXPECT_EQ(found["top"][0]["id"], 1000);
    EXPECT_EQ(found["top"][0]["credit"], 2.0);
    EXPECT_EQ(found["top"][0]["few_hits"], true);
    EXPECT_EQ(found["copy_candidates"][0]["generated_id"], 7); // at distance 0
    EXPECT_EQ(found["copy_candidates"][0]["id"], 1000);
    EXPECT_EQ(found["details"]["k"], 1.0);
    EXPECT_TRUE(found["details"]["lds"].is_null());
    EXPECT_GE(found["statements"].size(), 5u);
    EXPECT_FALSE(all.contains("truth"));
    EXPECT_EQ(ordered_json::parse(all.dump(2)), all);
}

TEST(ValuationSummary, TruthStandsBeside) {
    ValuationInput const input = example();
    Valuation const valuation = valued(input);
    ValuationContext context = context_of(input);
    ordered_json const before = summary(valuation, context);
    context.outliers =
        score_outliers({valuation.credit, valuation.mean_distance, valuation.hits, {}, input.ids},
                       std::vector<std::uint8_t>{0, 0, 0, 1}, 0.95, 0);
    ordered_json const after = summary(valuation, context);
    EXPECT_EQ(after["truth"]["outliers"]["outliers"], 1);
    EXPECT_DOUBLE_EQ(after["truth"]["outliers"]["credit"]["auroc"], 2.5 / 3);
    EXPECT_EQ(after["valuation"], before["valuation"]);
    expect_in(table(valuation, context),
              {"Truth of this experiment", "1 of 4 samples are outliers", "AUROC 0.833"});
}

TEST(ValuationTable, ShowsWhatADataOwnerAsks) {
    ValuationInput const input = example();
    std::string const text = table(valued(input), context_of(input));
    expect_in(text, {"my run: credit of 4 training samples for 3 generated ones",
                     "given, k = 1, l2 distance, perplexity weights (10, no less than k: all k count alike)",
                     "50.0 % of the training samples have credit", "by class", "class 3", "100.0 %", "2.000",
                     "sample 1000", "(few hits)", "1 generated samples", "This rests on:", "not causal"});
    EXPECT_EQ(text.find("Truth"), std::string::npos);
    EXPECT_EQ(text.find("nan"), std::string::npos);
    for (std::string const& statement : statements(valued(input)))
        expect_in(text, {statement});
}

TEST(ValuationAnswer, NamesTheSurestGroup) {
    ValuationInput input = many();
    expect_in(answer(valued(input)),
              {"answer: the tenth of the training samples with most credit has 67 % of it",
               "; of 2 classes, class 3 most surely has more than its share: 2.00 times "
               "(95 % interval 2.00 to 2.00)"});
    input.groups = {1, 2, 1, 2}; // the last that is asked for
    expect_in(answer(valued(input)), {"; no group has more than its share (95 % intervals)"});
}

TEST(ValuationAnswer, ComparesNoGroupsByFewSamples) {
    ValuationInput input = example();
    std::string const credit =
        "answer: the tenth of the training samples with most credit has 67 % of it (75 % in a split test)";
    EXPECT_EQ(answer(valued(input)), credit + "; too few generated samples (3) to compare classes");
    input.labels.clear();
    EXPECT_EQ(answer(valued(input)), credit);
}

TEST(ReadOutlierScores, ReadsTheTruth) {
    TempDir const dir;
    ValuationInput const input = example();
    Valuation const valuation = valued(input);
    auto const file = [&](char const* name, std::vector<std::uint8_t> const& ood) {
        store::Handle const made = store::create_file(dir / name);
        if (!ood.empty())
            write_column(made, "/truth/ood", ood);
        return dir / name;
    };
    EXPECT_FALSE(read_outlier_scores(file("none.h5", {}), valuation, input.ids).has_value());
    EXPECT_DOUBLE_EQ(read_outlier_scores(file("a.h5", {0, 0, 1, 1}), valuation, input.ids)->credit.auroc, 1);
    expect_in(error_of(Exit::data,
                       [&] {
                           read_outlier_scores(file("b.h5", {0, 1}), valuation, input.ids);
                       }),
              {"b.h5", "/truth/ood is uint8 [2]", "uint8 [4]"});
}
