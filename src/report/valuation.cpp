#include "assay/report/valuation.hpp"

#include "assay/base/error.hpp"
#include "assay/base/version.hpp"
#include "assay/store/array.hpp"
#include "assay/valuation/columns.hpp"
#include "report/text.hpp"

#include <algorithm>
#include <numeric>

namespace assay::report {

using nlohmann::ordered_json;
using namespace valuation;

namespace {

constexpr char const* kOutliers = "/truth/ood";
constexpr std::size_t kGroupsShown = 12; // in the terminal
constexpr std::size_t kRowsShown = 5;
// With fewer, resampling them says nothing of how others would differ
constexpr std::uint64_t kFewGenerated = 30;

ordered_json interval(Interval const& ends) {
    return {number(ends.first), number(ends.second)};
}

std::string range(Interval const& ends, double factor = 1) {
    return std::isfinite(ends.first)
               ? fmt::format("[{:#.3g}, {:#.3g}]", factor * ends.first, factor * ends.second)
               : "-";
}

std::string share(double value) {
    return std::isfinite(value) ? fmt::format("{:.1f} %", 100 * value) : "-";
}

std::string whole_percent(double value) {
    return std::isfinite(value) ? fmt::format("{:.0f} %", 100 * value) : "unknown";
}

std::string group_name(std::string const& kind, std::int64_t value) {
    return kind == "class" && value < 0 ? "no class" : fmt::format("{} {}", kind, value);
}

// Places of groups, the one with most lift first
std::vector<std::size_t> by_lift(std::vector<GroupCredit> const& groups) {
    std::vector<std::size_t> order(groups.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return groups[a].lift > groups[b].lift; });
    return order;
}

std::optional<OutlierScores> outlier_scores_from(store::Handle const& file,
                                                 std::filesystem::path const& results,
                                                 Valuation const& valuation,
                                                 std::vector<std::uint64_t> const& ids) {
    store::Handle const column = store::open_array(file, results, kOutliers);
    store::require_written(column, results, kOutliers);
    if (store::type_name(column) != "uint8" || store::shape_of(column) != store::Shape{valuation.rows})
        fail(Exit::data,
             "{}: {} is {} [{}] (must be uint8 [{}], one per training sample). Write it so, or remove it",
             results.string(), kOutliers, store::type_name(column), fmt::join(store::shape_of(column), ", "),
             valuation.rows);
    return score_outliers(
        {valuation.credit, valuation.mean_distance, valuation.hits, valuation.pixel_hits, ids},
        store::read_all<std::uint8_t>(column), valuation.options.confidence, valuation.options.seed);
}

ordered_json groups_json(Valuation::GroupTable const& table, std::size_t most, bool with_quality) {
    ordered_json list = ordered_json::array();
    for (std::size_t place : by_lift(table.groups)) {
        GroupCredit const& group = table.groups[place];
        if (list.size() == most)
            break;
        ordered_json entry{{"value", group.value},
                           {"size", group.size},
                           {"credit", group.credit},
                           {"share", group.share},
                           {"share_interval", interval(group.share_interval)},
                           {"mean", group.mean},
                           {"lift", group.lift},
                           {"lift_interval", interval(group.lift_interval)}};
        if (with_quality)
            entry["share_without_quality"] = group.share_without_quality;
        list.push_back(std::move(entry));
    }
    return list;
}

ordered_json criterion_json(Criterion const& criterion) {
    ordered_json list = ordered_json::array();
    for (std::size_t i = 0; i < criterion.ks.size(); ++i) {
        ordered_json entry{{"k", criterion.ks[i]},
                           {"share", number(criterion.rates[i].value)},
                           {"standard_error", number(criterion.rates[i].standard_error)},
                           {"random_rows", number(criterion.random[i].value)}};
        auto const pixel = std::ranges::find(criterion.pixel_ks, criterion.ks[i]);
        if (pixel != criterion.pixel_ks.end())
            entry["pixels"] =
                number(criterion.pixels[static_cast<std::size_t>(pixel - criterion.pixel_ks.begin())].value);
        list.push_back(std::move(entry));
    }
    return {{"at", list}, {"weighted", number(criterion.weighted)}, {"chance", number(criterion.chance)}};
}

ordered_json detection_json(OutlierDetection const& found) {
    return {{"auroc", found.auroc},
            {"interval", interval(found.interval)},
            {"average_precision", found.average_precision},
            {"precision", found.precision}};
}

ordered_json outliers_json(OutlierScores const& found) {
    ordered_json json{{"outliers", found.outliers},
                      {"outliers_with_credit", found.outliers_hit},
                      {"coverage", found.coverage},
                      {"expected_auroc", found.expected},
                      {"credit", detection_json(found.credit)},
                      {"tie_broken", detection_json(found.tie_broken)},
                      {"uniform_weights", detection_json(found.uniform)},
                      {"random_values", detection_json(found.random)}};
    if (found.pixels)
        json["pixels"] = detection_json(*found.pixels);
    return json;
}

ordered_json rows_json(Valuation const& valuation, ValuationContext const& context) {
    ordered_json list = ordered_json::array();
    for (ListedRow const& listed : valuation.top) {
        auto const row = static_cast<std::size_t>(listed.row);
        list.push_back({{"id", context.ids[row]},
                        {"credit", valuation.credit[row]},
                        {"interval", interval(listed.interval)},
                        {"hits", valuation.hits[row]},
                        {"few_hits", valuation.hits[row] < kFewHits}});
    }
    return list;
}

ordered_json copies_json(Valuation const& valuation, ValuationContext const& context) {
    ordered_json list = ordered_json::array();
    for (CopyCandidate const& candidate : valuation.memorisation.candidates)
        list.push_back(
            {{"generated_id", context.generated_ids[static_cast<std::size_t>(candidate.generated)]},
             {"id", context.ids[static_cast<std::size_t>(candidate.row)]},
             {"distance", candidate.distance},
             {"relative_distance", number(candidate.relative)}});
    return list;
}

std::string settings(ValuationOptions const& options) {
    std::string text = fmt::format("{}, k = {}, {} distance, {} weights", options.space, options.k,
                                   options.distance, to_string(options.temperature));
    if (options.temperature == Temperature::perplexity)
        text += options.perplexity < static_cast<double>(options.k)
                    ? fmt::format(" ({:g})", options.perplexity)
                    : fmt::format(" ({:g}, no less than k: all k count alike)", options.perplexity);
    return text + (options.quality == QualityMode::none ? ", all generated samples alike"
                                                        : ", generated samples by quality");
}

std::string groups_text(Valuation::GroupTable const& table, double confidence) {
    std::string text = fmt::format("  {:<30} {:>9} {:>9} {:>7}  {} interval\n",
                                   table.name == "class" ? "by class" : "by group", "samples", "share",
                                   "lift", percent(confidence));
    std::vector<std::size_t> const order = by_lift(table.groups);
    for (std::size_t i = 0; i < std::min(order.size(), kGroupsShown); ++i) {
        GroupCredit const& group = table.groups[order[i]];
        text += fmt::format("    {:<28} {:>9} {:>9} {:>7.3f}  {}\n", group_name(table.name, group.value),
                            group.size, share(group.share), group.lift, range(group.lift_interval));
    }
    if (order.size() > kGroupsShown)
        text += fmt::format("    and {} with less\n", order.size() - kGroupsShown);
    return text;
}

std::string rate_text(Criterion const& criterion) {
    std::string text;
    for (std::size_t i = 0; i < criterion.ks.size(); ++i)
        if (criterion.ks[i] >= 10 || criterion.ks.size() == 1)
            text += fmt::format("{}{:.3f} at {}", text.empty() ? "" : ", ", criterion.rates[i].value,
                                criterion.ks[i]);
    if (!criterion.pixels.empty())
        text += fmt::format("; in raw pixels {:.3f} at {}", criterion.pixels.back().value,
                            criterion.pixel_ks.back());
    return text + fmt::format("; random rows {:.3f}; chance {:.3f}", criterion.random.back().value,
                              criterion.chance);
}

std::string memorisation_text(Memorisation const& found) {
    std::string text;
    if (found.duplicates)
        text += row("at distance 0 of training", fmt::format("{} generated samples", *found.duplicates));
    if (found.nearer)
        text += row("nearer to training",
                    fmt::format("{} of generated samples, expected {} (z = {:.1f})",
                                share(found.nearer->share), share(found.nearer->expected), found.nearer->z));
    if (found.copying)
        text += row("data copying test",
                    fmt::format("z = {:.1f}{}", found.copying->z,
                                found.copying->z < -3 ? ": generated lie nearer than held-out" : ""));
    return text;
}

std::string detection_text(OutlierDetection const& found) {
    return fmt::format("AUROC {:.3f} {}, average precision {:.3f}", found.auroc, range(found.interval),
                       found.average_precision);
}

std::string outliers_text(OutlierScores const& found) {
    std::string text =
        fmt::format("Truth of this experiment (not seen by any value): {} of {} samples are outliers\n",
                    found.outliers, found.rows);
    text += row("found by credit", detection_text(found.credit));
    text += row("  equal credit by distance", detection_text(found.tie_broken));
    text += row("  by uniform weights", detection_text(found.uniform));
    if (found.pixels)
        text += row("  by raw pixels", detection_text(*found.pixels));
    text += row("  by random values", detection_text(found.random));
    return text + row("  if no outlier had credit",
                      fmt::format("AUROC {:.3f}; {} have", found.expected, found.outliers_hit));
}

} // namespace

std::optional<OutlierScores> read_outlier_scores(std::filesystem::path const& results,
                                                 Valuation const& valuation,
                                                 std::vector<std::uint64_t> const& ids) {
    store::Handle const file = store::open_to_read(results);
    if (!store::exists(file, kOutliers))
        return std::nullopt;
    return store::in_file(results, Exit::data, "The file is damaged: make it again",
                          [&] { return outlier_scores_from(file, results, valuation, ids); });
}

ordered_json summary(Valuation const& valuation, ValuationContext const& context) {
    ordered_json details;
    for (store::Metrics const& group : metrics(valuation)) {
        for (auto const& [key, value] : group.texts)
            details[key] = value;
        for (auto const& [key, value] : group.numbers)
            details[key] = number(value);
    }
    ordered_json found{{"coverage", valuation.coverage},
                       {"top_tenth_share", valuation.concentration.share},
                       {"top_tenth_split_share", number(valuation.concentration.split_share)}};
    for (Valuation::GroupTable const& table : valuation.groupings)
        found[table.name] = groups_json(table, static_cast<std::size_t>(valuation.options.listed),
                                        valuation.options.quality != QualityMode::none);
    found["top"] = rows_json(valuation, context);
    if (valuation.shapley) {
        ordered_json& list = found["lowest_shapley"] = ordered_json::array();
        for (std::int64_t row : valuation.suspects)
            list.push_back({{"id", context.ids[static_cast<std::size_t>(row)]},
                            {"shapley", valuation.shapley->values[static_cast<std::size_t>(row)]}});
    }
    found["copy_candidates"] = copies_json(valuation, context);
    if (valuation.identical_class) {
        found["identical_class"] = criterion_json(valuation.identical_class->all);
        found["identical_class"]["classes"] = valuation.identical_class->classes;
        ordered_json& by_class = found["identical_class"]["by_class"] = ordered_json::array();
        for (std::vector<Rate> const& rates : valuation.identical_class->by_class) {
            by_class.push_back(ordered_json::array());
            for (Rate const& rate : rates)
                by_class.back().push_back(number(rate.value));
        }
    }
    for (Criterion const& criterion : valuation.identical_attribute)
        found["identical_attribute"].push_back(criterion_json(criterion));
    found["details"] = details;
    found["statements"] = statements(valuation);
    ordered_json all{
        {"name", context.name}, {"kind", "valuation"}, {"software_version", version()}, {"valuation", found}};
    if (context.outliers)
        all["truth"] = {{"outliers", outliers_json(*context.outliers)}};
    return all;
}

std::string table(Valuation const& valuation, ValuationContext const& context) {
    std::string text = fmt::format("\n{}: credit of {} training samples for {} generated ones\n",
                                   context.name, valuation.rows, valuation.generated);
    text += row("values", settings(valuation.options));
    text += row("rows that share one's credit",
                fmt::format("{:.1f} (with temperature 1: {:.1f})", valuation.weights.effective_number,
                            valuation.paper.effective_number));
    text += row("coverage", fmt::format("{} of the training samples have credit", share(valuation.coverage)));
    text += row("a tenth of the samples has",
                fmt::format("{} of the credit ({} in a split test)", share(valuation.concentration.share),
                            share(valuation.concentration.split_share)));
    if (std::isfinite(valuation.quality_shift))
        text += row("moved by quality", fmt::format("{} of the credit", share(valuation.quality_shift)));
    for (Valuation::GroupTable const& groups : valuation.groupings)
        text += groups_text(groups, valuation.options.confidence);
    text += fmt::format("  {:<30} {:>9} {:>9}  {} interval\n", "most credit", "hits", "credit",
                        percent(valuation.options.confidence));
    for (std::size_t i = 0; i < std::min(valuation.top.size(), kRowsShown); ++i) {
        auto const row = static_cast<std::size_t>(valuation.top[i].row);
        text += fmt::format("    {:<28} {:>9} {:>9.3f}  {}{}\n", fmt::format("sample {}", context.ids[row]),
                            valuation.hits[row], valuation.credit[row], range(valuation.top[i].interval),
                            valuation.hits[row] < kFewHits ? " (few hits)" : "");
    }
    if (valuation.identical_class)
        text += row("neighbours of the same class", rate_text(valuation.identical_class->all));
    for (std::size_t a = 0; a < valuation.identical_attribute.size(); ++a)
        text +=
            row(fmt::format("neighbours alike in attr. {}", a), rate_text(valuation.identical_attribute[a]));
    text += memorisation_text(valuation.memorisation);
    if (valuation.lds)
        text +=
            row("LDS",
                fmt::format("{:.3f} {} from {} retrained models (one sample's by chance: 0 +- {:.2f}); {} of "
                            "{} generated samples do not vary",
                            valuation.lds->mean, range(valuation.lds->interval), valuation.lds->subsets,
                            valuation.lds->chance_sd, valuation.lds->constant, valuation.lds->queries));
    text += "This rests on:\n";
    for (std::string const& statement : statements(valuation))
        text += "  " + statement + "\n";
    return text + (context.outliers ? outliers_text(*context.outliers) : "");
}

std::string answer(Valuation const& valuation) {
    // Chance picks rows as well: the split test says how much of that share would come again
    std::string text = fmt::format(
        "answer: the tenth of the training samples with most credit has {:.0f} % of it ({} in a split test)",
        100 * valuation.concentration.share, whole_percent(valuation.concentration.split_share));
    // The group that is most surely above its share: its interval's lower end is the largest
    Valuation::GroupTable const* const table =
        valuation.groupings.empty() ? nullptr : &valuation.groupings.back();
    if (!table || table->groups.size() < 2)
        return text;
    if (valuation.generated < kFewGenerated)
        return text + fmt::format("; too few generated samples ({}) to compare {}", valuation.generated,
                                  table->name == "class" ? "classes" : "groups");
    auto const best = std::ranges::max_element(table->groups, {},
                                               [](GroupCredit const& g) { return g.lift_interval.first; });
    std::string const level = percent(valuation.options.confidence);
    if (!(best->lift_interval.first > 1))
        return text + fmt::format("; no {} has more than its share ({} intervals)", table->name, level);
    return text + fmt::format("; of {} {}, {} most surely has more than its share: {:.2f} times ({} interval "
                              "{:.2f} to {:.2f})",
                              table->groups.size(), table->name == "class" ? "classes" : "groups",
                              group_name(table->name, best->value), best->lift, level,
                              best->lift_interval.first, best->lift_interval.second);
}

} // namespace assay::report
