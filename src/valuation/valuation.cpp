#include "assay/valuation/valuation.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"
#include "assay/base/stats.hpp"
#include "assay/valuation/lists.hpp"
#include "valuation/collect.hpp"
#include "valuation/search_check.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_map>

namespace assay::valuation {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

void check_options(ValuationInput const& input, ValuationOptions const& options) {
    if (options.k < 1 || options.k > input.neighbours.k)
        fail(Exit::usage,
             "valuation.k={} (the lists hold {} neighbours). Lower it, or search again with a larger k",
             options.k, input.neighbours.k);
    if (!(options.perplexity >= 1))
        fail(Exit::usage, "valuation.perplexity={} (must be at least 1 row). Use 10", options.perplexity);
    if (!(options.confidence > 0.5 && options.confidence < 1))
        fail(Exit::usage, "valuation.confidence={} (must lie between 0.5 and 1). Use 0.95",
             options.confidence);
    if (options.bootstrap < 1)
        fail(Exit::usage, "valuation.bootstrap={} (an interval needs replicates). Use 200",
             options.bootstrap);
    if (options.listed < 0)
        fail(Exit::usage, "valuation.listed={} (cannot be negative). Use 100", options.listed);
    if (options.quality != QualityMode::none && input.quality.empty())
        fail(Exit::usage, "the job weighs by quality (but the file has no /generated/quality). Set "
                          "valuation.quality=\"none\"");
}

void check_unique(std::vector<std::uint64_t> ids, std::string_view side) {
    std::sort(ids.begin(), ids.end());
    if (auto const twice = std::adjacent_find(ids.begin(), ids.end()); twice != ids.end())
        fail(Exit::data,
             "id {} comes twice among the {} samples (ids must be unique). Remove the repeated one", *twice,
             side);
}

void check_input(ValuationInput const& input) {
    std::uint64_t const n = input.ids.size(), m = input.generated_ids.size();
    if (m == 0 || n == 0)
        fail(Exit::data, "{} training and {} generated samples (nothing to value). Give both", n, m);
    auto const check = [](std::uint64_t size, std::uint64_t wanted, std::string_view what, bool optional) {
        if (size != wanted && !(optional && size == 0))
            fail(Exit::data, "{} {} for {} samples (one per sample is needed). Write all of them", size, what,
                 wanted);
    };
    check(input.neighbours.queries, m, "neighbour lists", false);
    check(input.labels.size(), n, "training labels", true);
    check(input.groups.size(), n, "groups", true);
    check(input.generated_labels.size(), m, "labels of generated samples", true);
    check(input.quality.size(), m, "qualities", true);
    check(input.attribute.size(), n * input.attributes, "training attributes", false);
    check(input.generated_attribute.size(), m * input.attributes, "attributes of generated samples", false);
    if (input.pixels)
        check(input.pixels->queries, m, "neighbour lists in pixels", false);
    if (input.to_held_out)
        check(input.to_held_out->queries, m, "lists of held-out neighbours", false);
    if (input.to_generated)
        check(input.to_generated->queries, n, "lists of generated neighbours", false);
    for (auto const* sampled : {&input.exact, &input.doubled})
        if (*sampled)
            check((*sampled)->lists.queries, std::max<std::uint64_t>(1, (*sampled)->queries.size()),
                  "lists that check others", false);
    check_unique(input.ids, "training");
    check_unique(input.generated_ids, "generated");
}

// [m] what each generated sample has to give
std::vector<double> qualities(ValuationInput const& input, QualityMode mode) {
    std::vector<double> quality(input.generated_ids.size(), 1);
    if (mode == QualityMode::none)
        return quality;
    quality.assign(input.quality.begin(), input.quality.end());
    double const mean = assay::mean(quality);
    if (!(mean > 0))
        fail(Exit::data, "every quality is 0 (no generated sample has credit to give). Check "
                         "/generated/quality, or set valuation.quality=\"none\"");
    if (mode == QualityMode::mean1)
        for (double& q : quality)
            q /= mean;
    return quality;
}

// Between the first and the k-th distance, over all lists
double median_gap(NeighbourLists const& lists, std::int64_t k) {
    std::vector<double> gaps;
    gaps.reserve(lists.queries);
    for_each_list(lists, [&](std::uint64_t, auto, std::span<double const> distances) {
        gaps.push_back(distances[static_cast<std::size_t>(k - 1)] - distances[0]);
    });
    constexpr double kMiddle[] = {0.5};
    return quantiles(std::move(gaps), kMiddle).front();
}

Weighting weighting_of(ValuationInput const& input, ValuationOptions const& options) {
    bool const by_gap = options.temperature == Temperature::median_gap;
    return {options.temperature, options.perplexity, by_gap ? median_gap(input.neighbours, options.k) : 0};
}

Splitting splitting_of(Weighting const& weighting, std::int64_t k, std::vector<double> const& quality) {
    Splitting splitting{weighting, {}, k, credit_bits(std::accumulate(quality.begin(), quality.end(), 0.0))};
    for (double q : quality)
        splitting.quality.push_back(to_credit(q, splitting.bits));
    return splitting;
}

// The rows with most credit, that come first in the file where it is equal
std::vector<std::size_t> top_rows(std::vector<std::int64_t> const& credit, std::size_t count) {
    std::vector<std::size_t> order(credit.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    count = std::min(count, order.size());
    std::partial_sort(
        order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
        [&](std::size_t a, std::size_t b) { return credit[a] != credit[b] ? credit[a] > credit[b] : a < b; });
    order.resize(count);
    return order;
}

// Share of the credit in `counted` of the tenth of the rows that has most in `chosen_by`
double top_share(std::vector<std::int64_t> const& chosen_by, std::vector<std::int64_t> const& counted) {
    auto const count = static_cast<std::size_t>(
        std::max(1LL, std::llround(kTopShare * static_cast<double>(chosen_by.size()))));
    std::int64_t top = 0;
    for (std::size_t row : top_rows(chosen_by, count))
        top += counted[row];
    std::int64_t const all = std::accumulate(counted.begin(), counted.end(), std::int64_t{0});
    return all == 0 ? kNone : static_cast<double>(top) / static_cast<double>(all);
}

Concentration concentration_of(CreditSum const& credit) {
    std::vector<std::int64_t> const& one = credit.half_credit();
    std::vector<std::int64_t> other = credit.credit();
    std::transform(other.begin(), other.end(), one.begin(), other.begin(), std::minus<>());
    return {top_share(credit.credit(), credit.credit()), (top_share(one, other) + top_share(other, one)) / 2};
}

// A second walk, for the few rows that are listed
std::vector<ListedRow> listed_rows(ValuationInput const& input, ValuationOptions const& options,
                                   Splitting const& splitting, CreditSum const& credit) {
    std::vector<std::size_t> const rows = top_rows(credit.credit(), static_cast<std::size_t>(options.listed));
    std::unordered_map<std::int64_t, std::uint64_t> place;
    for (std::size_t row : rows)
        place.emplace(static_cast<std::int64_t>(row), place.size());
    auto const replicates = static_cast<std::uint64_t>(options.bootstrap);
    ReplicateSums sums(rows.size(), replicates);
    Splitter splitter(splitting);
    std::vector<std::uint8_t> counts(replicates);
    for_each_list(input.neighbours, [&](std::uint64_t j, std::span<std::int64_t const> list,
                                        std::span<double const> distances) {
        bool split = false;
        for (std::size_t r = 0; r < static_cast<std::size_t>(options.k); ++r) {
            auto const found = place.find(list[r]);
            if (found == place.end())
                continue;
            if (!std::exchange(split, true)) {
                splitter.split(j, distances);
                poisson_counts(options.seed, input.generated_ids[j], counts);
            }
            sums.add(found->second, splitter.shares()[r], counts);
        }
    });
    std::vector<ListedRow> result;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        std::vector<double> credits;
        for (std::int64_t sum : sums.of(i))
            credits.push_back(std::ldexp(static_cast<double>(sum), -splitting.bits));
        result.push_back({static_cast<std::int64_t>(rows[i]),
                          percentile_interval(std::move(credits), options.confidence)});
    }
    return result;
}

// What shares would be if all generated samples counted alike
void compare_without_quality(ValuationInput const& input, ValuationOptions const& options,
                             Weighting const& weighting, Valuation& valuation) {
    Splitting const splitting = splitting_of(weighting, options.k, qualities(input, QualityMode::none));
    Splitter splitter(splitting);
    CreditSum credit(input.ids.size(), splitting.bits);
    std::vector<GroupSum> groups = group_sums(input, 0);
    for_each_list(input.neighbours, [&](std::uint64_t j, std::span<std::int64_t const> list,
                                        std::span<double const> distances) {
        auto const rows = list.first(static_cast<std::size_t>(options.k));
        splitter.split(j, distances);
        credit.add(splitting.quality[j], rows, splitter.shares());
        for (GroupSum& group : groups)
            group.add(rows, splitter.shares(), {});
    });
    double const total = std::ldexp(static_cast<double>(credit.total()), -splitting.bits);
    std::vector<double> const values = credit.values();
    double moved = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
        moved += std::abs(values[i] / total - valuation.credit[i] / valuation.total);
    valuation.quality_shift = moved / 2;
    for (std::size_t g = 0; g < groups.size(); ++g) {
        std::vector<GroupCredit> const plain =
            groups[g].result(credit.total(), {}, splitting.bits, options.confidence);
        for (std::size_t i = 0; i < plain.size(); ++i)
            valuation.groupings[g].groups[i].share_without_quality = plain[i].share;
    }
}

Memorisation memorisation_of(ValuationInput const& input, ValuationOptions const& options,
                             NearestRows const& nearest) {
    auto const first_distances = [](NeighbourLists const& lists) {
        std::vector<double> distances;
        for_each_list(
            lists, [&](std::uint64_t, auto, std::span<double const> list) { distances.push_back(list[0]); });
        return distances;
    };
    Memorisation found{nearest.candidates(), {}, nearest.averaged(), {}, {}};
    if (options.distance != "inner_product")
        found.duplicates = nearest.duplicates();
    if (input.to_held_out)
        found.nearer = nearer_test(nearest.distances(), first_distances(*input.to_held_out), input.ids.size(),
                                   input.held_out_to_training ? input.held_out_to_training->queries : 0);
    if (input.held_out_to_training)
        found.copying = copying_test(nearest.distances(), first_distances(*input.held_out_to_training));
    return found;
}

// [N]
std::vector<double> mean_distances(NeighbourLists const& lists) {
    std::vector<double> means;
    means.reserve(lists.queries);
    for_each_list(lists, [&](std::uint64_t, auto, std::span<double const> distances) {
        means.push_back(mean(distances));
    });
    return means;
}

// Rows in order of (value, row), the first `count`
std::vector<std::int64_t> lowest_rows(std::span<double const> values, std::size_t count) {
    std::vector<std::int64_t> rows(values.size());
    std::iota(rows.begin(), rows.end(), 0);
    count = std::min(count, rows.size());
    std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(count), rows.end(),
                      [&](std::int64_t a, std::int64_t b) {
                          return std::pair(values[static_cast<std::size_t>(a)], a) <
                                 std::pair(values[static_cast<std::size_t>(b)], b);
                      });
    rows.resize(count);
    return rows;
}

} // namespace

Valuation value(ValuationInput const& input, ValuationOptions const& options) {
    check_input(input);
    check_options(input, options);
    Valuation valuation;
    valuation.options = options;
    valuation.rows = input.ids.size();
    valuation.generated = input.generated_ids.size();
    valuation.stored_k = input.neighbours.k;

    Weighting const weighting = weighting_of(input, options);
    Splitting const splitting = splitting_of(weighting, options.k, qualities(input, options.quality));
    Walk walk(input, options, splitting);
    for_each_list(input.neighbours, [&](std::uint64_t j, std::span<std::int64_t const> list,
                                        std::span<double const> distances) { walk.add(j, list, distances); });
    if (input.pixels)
        for_each_list(*input.pixels, [&](std::uint64_t j, std::span<std::int64_t const> list, auto) {
            walk.add_pixels(j, list);
        });
    walk.finish(valuation);
    if (input.to_generated)
        valuation.mean_distance = mean_distances(*input.to_generated);
    if (input.exact)
        valuation.approximate = check_search(input, *input.exact, splitting);
    if (input.doubled)
        valuation.reranked = check_search(input, *input.doubled, splitting);
    valuation.concentration = concentration_of(walk.credit());
    valuation.memorisation = memorisation_of(input, options, walk.nearest());
    valuation.top = listed_rows(input, options, splitting, walk.credit());
    if (valuation.shapley)
        valuation.suspects = lowest_rows(valuation.shapley->values, static_cast<std::size_t>(options.listed));
    if (options.quality != QualityMode::none)
        compare_without_quality(input, options, weighting, valuation);
    return valuation;
}

} // namespace assay::valuation
