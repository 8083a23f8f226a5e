#include "assay/valuation/columns.hpp"

#include "assay/store/array.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <tuple>
#include <type_traits>

namespace assay::valuation {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::string path_of(char const* group, std::string const& name) {
    return std::string(group) + "/" + name;
}

std::string_view to_string(QualityMode mode) {
    return mode == QualityMode::none ? "none" : mode == QualityMode::raw ? "raw" : "mean1";
}

template <class T>
double or_nan(std::optional<T> const& value) {
    return value ? static_cast<double>(*value) : kNone;
}

// Value at place i, NaN beyond the end
double at(std::vector<Rate> const& rates, std::size_t i) {
    return i < rates.size() ? rates[i].value : kNone;
}

// [ks, 5] k, rate, its standard error, random rows, nearest in pixels
void append_rows(Criterion const& criterion, std::vector<double>& table) {
    for (std::size_t i = 0; i < criterion.ks.size(); ++i) {
        auto const pixel =
            std::ranges::find(criterion.pixel_ks, criterion.ks[i]) - criterion.pixel_ks.begin();
        table.insert(table.end(), {static_cast<double>(criterion.ks[i]), criterion.rates[i].value,
                                   criterion.rates[i].standard_error, at(criterion.random, i),
                                   at(criterion.pixels, static_cast<std::size_t>(pixel))});
    }
}

store::Metrics row_values(Valuation const& valuation) {
    store::Metrics values{kValues, {}, {}, {}};
    values.tables = {{"credit", valuation.credit},
                     {"standard_error", valuation.standard_error},
                     {"distance", valuation.mean_distance}};
    if (valuation.shapley)
        values.tables.emplace_back("shapley", valuation.shapley->values);
    values.integers = {{"hits", valuation.hits}};
    return values;
}

store::Metrics group_values(Valuation::GroupTable const& table) {
    store::Metrics values{path_of(kValues, table.name), {}, {}, {}};
    auto const column = [&](std::string const& name, auto member) {
        std::vector<double> column;
        for (GroupCredit const& group : table.groups)
            column.push_back(group.*member);
        values.tables.emplace_back(name, std::move(column));
    };
    auto const intervals = [&](std::string const& name, auto member) {
        std::vector<double> ends;
        for (GroupCredit const& group : table.groups)
            ends.insert(ends.end(), {(group.*member).first, (group.*member).second});
        values.tables.emplace_back(name, std::move(ends));
    };
    auto const integers = [&](std::string const& name, auto member) {
        std::vector<std::int64_t> column;
        for (GroupCredit const& group : table.groups)
            column.push_back(group.*member);
        values.integers.emplace_back(name, std::move(column));
    };
    integers("value", &GroupCredit::value);
    integers("size", &GroupCredit::size);
    column("credit", &GroupCredit::credit);
    column("share", &GroupCredit::share);
    column("mean", &GroupCredit::mean);
    column("lift", &GroupCredit::lift);
    column("share_without_quality", &GroupCredit::share_without_quality);
    intervals("credit_interval", &GroupCredit::credit_interval);
    intervals("share_interval", &GroupCredit::share_interval);
    intervals("mean_interval", &GroupCredit::mean_interval);
    intervals("lift_interval", &GroupCredit::lift_interval);
    return values;
}

using Numbers = std::vector<std::pair<std::string, double>>;

Numbers numbers_of(Valuation const& valuation) {
    Memorisation const& memorisation = valuation.memorisation;
    NearerTest const nearer = memorisation.nearer.value_or(NearerTest{kNone, kNone, kNone});
    CopyingTest const copying = memorisation.copying.value_or(CopyingTest{kNone, kNone});
    Lds const lds = valuation.lds.value_or(Lds{kNone, {kNone, kNone}, kNone, kNone, 0, 0, 0});
    double const nan = kNone;
    SearchCheck const none{0, {nan, nan}, nan, nan, nan, nan, nan};
    SearchCheck const approximate = valuation.approximate.value_or(none),
                      reranked = valuation.reranked.value_or(none);
    return {
        {"training_samples", static_cast<double>(valuation.rows)},
        {"generated_samples", static_cast<double>(valuation.generated)},
        {"k", static_cast<double>(valuation.options.k)},
        {"stored_k", static_cast<double>(valuation.stored_k)},
        {"confidence", valuation.options.confidence},
        {"total_credit", valuation.total},
        {"credit_bits", static_cast<double>(valuation.bits)},
        {"coverage", valuation.coverage},
        {"few_hits", static_cast<double>(valuation.few_hits)},
        {"recall", approximate.recall.value},
        {"recall_standard_error", approximate.recall.standard_error},
        {"recall_fifth_percentile", approximate.fifth_percentile},
        {"recall_minimum", approximate.minimum},
        {"approximate_queries", static_cast<double>(approximate.queries)},
        {"approximate_credit_moved", approximate.credit_moved},
        {"approximate_class_change", approximate.class_change},
        {"rerank_queries", static_cast<double>(reranked.queries)},
        {"rerank_changed", reranked.changed},
        {"rerank_credit_moved", reranked.credit_moved},
        {"rerank_class_change", reranked.class_change},
        {"tau", valuation.weights.tau},
        {"effective_number", valuation.weights.effective_number},
        {"top_weight", valuation.weights.top_weight},
        {"paper_effective_number", valuation.paper.effective_number},
        {"paper_top_weight", valuation.paper.top_weight},
        {"top_tenth_share", valuation.concentration.share},
        {"top_tenth_split_share", valuation.concentration.split_share},
        {"quality_shift", valuation.quality_shift},
        {"shapley_k", valuation.shapley ? static_cast<double>(valuation.shapley->k) : kNone},
        {"shapley_error", valuation.shapley ? valuation.shapley->error : kNone},
        {"shapley_queries", valuation.shapley ? static_cast<double>(valuation.shapley->queries) : kNone},
        {"duplicates", or_nan(memorisation.duplicates)},
        {"relative_over", static_cast<double>(memorisation.averaged)},
        {"nearer_to_training", nearer.share},
        {"nearer_to_training_expected", nearer.expected},
        {"nearer_to_training_z", nearer.z},
        {"copying_auc", copying.auc},
        {"copying_z", copying.z},
        {"identical_class_chance", valuation.identical_class ? valuation.identical_class->all.chance : kNone},
        {"identical_class_weighted",
         valuation.identical_class ? valuation.identical_class->all.weighted : kNone},
        {"lds", lds.mean},
        {"lds_low", lds.interval.first},
        {"lds_high", lds.interval.second},
        {"lds_sd", lds.sd},
        {"lds_chance_sd", lds.chance_sd},
        {"lds_subsets", static_cast<double>(lds.subsets)},
        {"lds_constant", static_cast<double>(lds.constant)},
    };
}

std::vector<std::pair<std::string, std::string>> texts_of(Valuation const& valuation) {
    return {{"temperature", std::string(to_string(valuation.options.temperature))},
            {"distance", valuation.options.distance},
            {"space", valuation.options.space},
            {"quality", std::string(to_string(valuation.options.quality))}};
}

void add_criteria(Valuation const& valuation, store::Metrics& metrics) {
    if (valuation.identical_class) {
        std::vector<double> table, by_class;
        append_rows(valuation.identical_class->all, table);
        for (std::vector<Rate> const& rates : valuation.identical_class->by_class)
            for (Rate const& rate : rates)
                by_class.push_back(rate.value);
        metrics.tables.emplace_back("identical_class", std::move(table));
        metrics.tables.emplace_back("identical_class_by_class", std::move(by_class));
        metrics.integers.emplace_back("identical_class_classes", valuation.identical_class->classes);
    }
    if (!valuation.identical_attribute.empty()) {
        std::vector<double> table, chance;
        for (Criterion const& criterion : valuation.identical_attribute) {
            append_rows(criterion, table);
            chance.push_back(criterion.chance);
        }
        metrics.tables.emplace_back("identical_attribute", std::move(table));
        metrics.tables.emplace_back("identical_attribute_chance", std::move(chance));
    }
}

void add_listed(Valuation const& valuation, store::Metrics& metrics) {
    std::vector<std::int64_t> rows, samples, copied;
    std::vector<double> intervals, distances;
    for (ListedRow const& listed : valuation.top) {
        rows.push_back(listed.row);
        intervals.insert(intervals.end(), {listed.interval.first, listed.interval.second});
    }
    for (CopyCandidate const& candidate : valuation.memorisation.candidates) {
        samples.push_back(candidate.generated);
        copied.push_back(candidate.row);
        distances.insert(distances.end(), {candidate.distance, candidate.relative});
    }
    metrics.integers.emplace_back("top_row", std::move(rows));
    metrics.tables.emplace_back("top_interval", std::move(intervals));
    metrics.integers.emplace_back("copy_generated", std::move(samples));
    metrics.integers.emplace_back("copy_row", std::move(copied));
    metrics.tables.emplace_back("copy_distance", std::move(distances));
    if (valuation.shapley)
        metrics.integers.emplace_back("suspect_row", valuation.suspects);
}

// Different values from `least` on; none where all are below 0
std::uint64_t distinct(std::vector<std::int64_t> values, std::int64_t least) {
    if (std::ranges::all_of(values, [](std::int64_t value) { return value < 0; }))
        return 0;
    std::erase_if(values, [least](std::int64_t value) { return value < least; });
    std::sort(values.begin(), values.end());
    return static_cast<std::uint64_t>(std::unique(values.begin(), values.end()) - values.begin());
}

template <class T>
void add(store::ResultLayout& layout, std::string const& path, store::Shape shape, char const* description,
         char const* units = "1") {
    layout.columns.push_back({path, store::native_type<T>(), std::move(shape), description, units, ""});
}

void announce_groups(store::ResultLayout& layout, std::string const& name, std::uint64_t groups) {
    if (groups == 0)
        return;
    std::string const group = path_of(kValues, name) + "/";
    add<std::int64_t>(layout, group + "value", {groups}, "what its training samples have in common");
    add<std::int64_t>(layout, group + "size", {groups}, "training samples");
    add<double>(layout, group + "credit", {groups}, "sum of its samples' credit", "quality");
    add<double>(layout, group + "share", {groups}, "of all credit");
    add<double>(layout, group + "mean", {groups}, "credit per training sample", "quality");
    add<double>(layout, group + "lift", {groups}, "share over the share of training samples");
    add<double>(layout, group + "share_without_quality", {groups}, "if all generated samples counted alike");
    for (char const* of : {"credit", "share", "mean", "lift"})
        add<double>(layout, group + of + "_interval", {groups, 2}, "over the draw of the generated samples");
}

} // namespace

std::vector<store::Metrics> metrics(Valuation const& valuation) {
    store::Metrics found{kMetrics, numbers_of(valuation), texts_of(valuation), {}};
    add_criteria(valuation, found);
    add_listed(valuation, found);
    std::vector<store::Metrics> all{row_values(valuation), std::move(found)};
    for (Valuation::GroupTable const& table : valuation.groupings)
        all.push_back(group_values(table));
    return all;
}

Extent extent_of(ValuationInput const& input) {
    constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
    Extent extent{
        input.ids.size(), input.generated_ids.size(), input.neighbours.k, input.attributes, 0, 0, 0};
    extent.labels = distinct(input.labels, kLeast);
    extent.groups = group_by("group", input.groups).values.size();
    extent.generated_labels = distinct(input.generated_labels, 0);
    return extent;
}

void announce(store::ResultLayout& layout, Extent const& extent, ValuationOptions const& options) {
    std::uint64_t const n = extent.rows, ks = criterion_ks(options.k, extent.stored_k).size();
    std::uint64_t const top = std::min(n, static_cast<std::uint64_t>(options.listed)),
                        copies = std::min(extent.generated, static_cast<std::uint64_t>(options.listed));
    bool const classes = extent.labels > 0 && extent.generated_labels > 0;
    add<double>(layout, path_of(kValues, "credit"), {n}, "similarity credit for the generated samples",
                "quality");
    add<double>(layout, path_of(kValues, "standard_error"), {n},
                "of credit, over the draw of the generated samples", "quality");
    add<double>(layout, path_of(kValues, "distance"), {n},
                "mean distance to the nearest generated samples, or of the lists that the sample is in");
    add<std::int64_t>(layout, path_of(kValues, "hits"), {n},
                      "generated samples that it is among the k nearest of");
    announce_groups(layout, "class", extent.labels);
    announce_groups(layout, "group", extent.groups);
    std::string const metrics = path_of(kMetrics, "");
    if (classes) {
        add<double>(layout, path_of(kValues, "shapley"), {n}, "KNN-Shapley value of its label");
        add<std::int64_t>(layout, metrics + "suspect_row", {top},
                          "lowest KNN-Shapley values, as rows of /samples");
        add<double>(
            layout, metrics + "identical_class", {ks, 5},
            "k, share of the k nearest with the generated sample's class, its standard error, the same of "
            "random rows, and of the nearest in raw pixels");
        add<double>(layout, metrics + "identical_class_by_class", {extent.generated_labels, ks},
                    "the same share, by class");
        add<std::int64_t>(layout, metrics + "identical_class_classes", {extent.generated_labels},
                          "these classes");
    }
    if (extent.attributes > 0) {
        add<double>(layout, metrics + "identical_attribute", {extent.attributes, ks, 5},
                    "as identical_class, by attribute");
        add<double>(layout, metrics + "identical_attribute_chance", {extent.attributes},
                    "what random rows are expected to have");
    }
    add<std::int64_t>(layout, metrics + "top_row", {top},
                      "training samples with most credit, as rows of /samples");
    add<double>(layout, metrics + "top_interval", {top, 2}, "of their credit", "quality");
    add<std::int64_t>(layout, metrics + "copy_generated", {copies}, "copy candidates, as rows of /generated");
    add<std::int64_t>(layout, metrics + "copy_row", {copies},
                      "their nearest training samples, as rows of /samples");
    add<double>(layout, metrics + "copy_distance", {copies, 2},
                "between them; and over the typical one nearby");
    for (auto const& [name, value] : numbers_of({}))
        layout.metric_names[kMetrics].push_back(name);
    for (auto const& [name, value] : texts_of({}))
        layout.metric_texts[kMetrics].push_back(name);
}

void write_values(std::filesystem::path const& path, Valuation const& valuation,
                  std::vector<std::uint64_t> const& ids) {
    std::filesystem::path const temporary = path.string() + ".new";
    std::vector<store::Metrics> groups = metrics(valuation);
    std::erase_if(groups, [](store::Metrics const& group) { return group.group == kMetrics; });
    store::in_file(temporary, Exit::io, "Free space or use --output", [&] {
        store::Handle file = store::create_file(temporary);
        auto const write = [&](std::string const& name, auto const& values, store::Shape shape) {
            using T = typename std::decay_t<decltype(values)>::value_type;
            store::Handle const column = store::create_dataset(file, name, store::native_type<T>(), shape);
            store::write_rows(column, 0, shape[0], store::native_type<T>(), values.data());
        };
        write(kTrainingIds, ids, {ids.size()});
        for (store::Metrics const& group : groups) {
            for (auto const& [name, values] : group.integers)
                write(group.group + "/" + name, values, {values.size()});
            for (auto const& [name, values] : group.tables)
                if (name.ends_with("_interval"))
                    write(group.group + "/" + name, values, {values.size() / 2, 2});
                else
                    write(group.group + "/" + name, values, {values.size()});
        }
        store::require(H5Fflush(file.id(), H5F_SCOPE_GLOBAL), "flushing");
        file.close();
        std::filesystem::rename(temporary, path);
    });
}

} // namespace assay::valuation
