#include "assay/valuation/columns.hpp"

#include "assay/base/error.hpp"
#include "assay/store/array.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

namespace assay::valuation {

namespace {

using store::Handle;

// Differences must not overflow
constexpr double kLargestDistance = 1e300;
constexpr char const* kDamaged = "The file is damaged or of another kind: make it again";

// An array of `type` and `shape` (0: any extent but none), all of it in this very file
Handle open_column(Handle const& file, std::string const& origin, std::string const& path,
                   std::string const& type, store::Shape const& shape) {
    Handle column = store::open_array(file, origin, path);
    store::Shape const found = store::shape_of(column);
    bool fits = store::type_name(column) == type && found.size() == shape.size();
    for (std::size_t axis = 0; fits && axis < shape.size(); ++axis)
        fits = found[axis] > 0 && (shape[axis] == 0 || found[axis] == shape[axis]);
    if (!fits) {
        std::vector<std::string> wanted;
        for (std::uint64_t n : shape)
            wanted.push_back(n == 0 ? "any, not 0" : fmt::format("{}", n));
        fail(Exit::data, "{}: {} is {} [{}] (must be {} [{}]). Write it so", origin, path,
             store::type_name(column), fmt::join(found, ", "), type, fmt::join(wanted, ", "));
    }
    store::require_written(column, origin, path);
    return column;
}

template <class T>
std::vector<T> read_column(Handle const& file, std::string const& origin, std::string const& path,
                           std::string const& type, store::Shape const& shape) {
    return store::read_all<T>(open_column(file, origin, path, type, shape));
}

// The same; empty where there is none
template <class T>
std::vector<T> read_if_there(Handle const& file, std::string const& origin, std::string const& path,
                             std::string const& type, store::Shape const& shape) {
    return store::exists(file, path) ? read_column<T>(file, origin, path, type, shape) : std::vector<T>{};
}

std::vector<std::int64_t> read_labels(Handle const& file, std::string const& origin, std::string const& path,
                                      std::uint64_t rows) {
    std::vector<std::int64_t> labels = read_if_there<std::int64_t>(file, origin, path, "int64", {rows});
    auto const bad = std::ranges::find_if(labels, [](std::int64_t label) { return label < -1; });
    if (bad != labels.end())
        fail(Exit::data, "{}: {}[{}] is {} (must be a class from 0 on, or -1 for none). Correct it", origin,
             path, bad - labels.begin(), *bad);
    // A data set without labels has a column of -1
    return std::ranges::all_of(labels, [](std::int64_t label) { return label < 0; })
               ? std::vector<std::int64_t>{}
               : labels;
}

std::vector<std::uint8_t> read_attributes(Handle const& file, std::string const& origin,
                                          std::string const& path, std::uint64_t rows, std::uint64_t width) {
    std::vector<std::uint8_t> const values =
        read_column<std::uint8_t>(file, origin, path, "uint8", {rows, width});
    auto const bad = std::ranges::find_if(values, [](std::uint8_t value) { return value > 1; });
    if (bad != values.end())
        fail(Exit::data, "{}: {}[{}, {}] is {} (must be 0 or 1). Correct it", origin, path,
             (bad - values.begin()) / static_cast<std::ptrdiff_t>(width),
             (bad - values.begin()) % static_cast<std::ptrdiff_t>(width), *bad);
    return values;
}

void read_both_attributes(Handle const& file, std::string const& origin, ValuationInput& input) {
    bool const training = store::exists(file, kTrainingAttributes);
    if (training != store::exists(file, kGeneratedAttributes))
        fail(Exit::data, "{}: {} without {} (attributes are compared between the two). Write both, or none",
             origin, training ? kTrainingAttributes : kGeneratedAttributes,
             training ? kGeneratedAttributes : kTrainingAttributes);
    if (!training)
        return;
    std::uint64_t const n = input.ids.size();
    input.attributes = store::shape_of(open_column(file, origin, kTrainingAttributes, "uint8", {n, 0})).at(1);
    input.attribute = read_attributes(file, origin, kTrainingAttributes, n, input.attributes);
    input.generated_attribute =
        read_attributes(file, origin, kGeneratedAttributes, input.generated_ids.size(), input.attributes);
}

std::vector<float> read_quality(Handle const& file, std::string const& origin, std::uint64_t rows) {
    std::vector<float> quality = read_if_there<float>(file, origin, kQuality, "float32", {rows});
    auto const bad = std::ranges::find_if(quality, [](float q) { return !(q >= 0) || !std::isfinite(q); });
    if (bad != quality.end())
        fail(
            Exit::data,
            "{}: {}[{}] is {} (must be finite and at least 0, larger = better). Correct it, or turn it round",
            origin, kQuality, bad - quality.begin(), *bad);
    return quality;
}

// What every list must be: rows of [0, rows), none twice, finite distances, ascending by (distance, row)
void check_lists(Neighbours const& lists, std::uint64_t first, std::uint64_t rows, std::string const& where) {
    auto const k = static_cast<std::size_t>(lists.k);
    std::vector<std::int64_t> sorted(k);
    for (std::size_t begin = 0; begin < lists.rows.size(); begin += k) {
        for (std::size_t at = begin; at < begin + k; ++at) {
            std::int64_t const row = lists.rows[at];
            double const distance = lists.distances[at];
            std::size_t const rank = at - begin, query = first + begin / k;
            if (row < 0 || static_cast<std::uint64_t>(row) >= rows)
                fail(Exit::data, "{}/row[{}, {}] is {} (must be a row number below {}). Write it so", where,
                     query, rank, row, rows);
            if (!(std::abs(distance) <= kLargestDistance))
                fail(Exit::data, "{}/distance[{}, {}] is {} (must be finite, at most {}). Correct it", where,
                     query, rank, distance, kLargestDistance);
            if (rank > 0 &&
                std::tuple(lists.distances[at - 1], lists.rows[at - 1]) >= std::tuple(distance, row))
                fail(Exit::data,
                     "{}[{}]: rank {} has distance {} and row {}, the one before {} and {} (must ascend by "
                     "distance, then row). Sort the list",
                     where, query, rank, distance, row, lists.distances[at - 1], lists.rows[at - 1]);
        }
        auto const list = std::span(lists.rows).subspan(begin, k);
        std::copy(list.begin(), list.end(), sorted.begin());
        std::sort(sorted.begin(), sorted.end());
        if (auto const twice = std::adjacent_find(sorted.begin(), sorted.end()); twice != sorted.end())
            fail(Exit::data, "{}/row[{}] has row {} twice (a list names a row once). Correct it", where,
                 first + begin / k, *twice);
    }
}

// The lists in `group`, of so many queries (0: any number) over so many rows. The file is opened for each
// piece: what holds it open for long would be in the way of who completes it
NeighbourLists open_lists(Handle const& file, std::filesystem::path const& path, std::string const& group,
                          std::uint64_t queries, std::uint64_t rows) {
    std::string const origin = path.string();
    store::Shape const shape =
        store::shape_of(open_column(file, origin, group + "/row", "int64", {queries, 0}));
    open_column(file, origin, group + "/distance", "float64", shape);
    if (shape[1] > rows)
        fail(Exit::data,
             "{}: {}/row is [{}] (a list cannot name more than the {} rows there are). Write it so", origin,
             group, fmt::join(shape, ", "), rows);
    auto const k = static_cast<std::int64_t>(shape[1]);
    return {shape[0], k, [=](std::uint64_t begin, std::uint64_t count) {
                return store::in_file(path, Exit::data, kDamaged, [&] {
                    Neighbours lists{k, std::vector<std::int64_t>(count * shape[1]),
                                     std::vector<double>(count * shape[1])};
                    Handle const open = store::open_to_read(path);
                    store::read_rows(store::open_dataset(open, group + "/row"), begin, count,
                                     store::native_type<std::int64_t>(), lists.rows.data());
                    store::read_rows(store::open_dataset(open, group + "/distance"), begin, count,
                                     store::native_type<double>(), lists.distances.data());
                    check_lists(lists, begin, rows, origin + ": " + group);
                    return lists;
                });
            }};
}

// Lists of the generated samples that GROUP/query names
SampledLists read_sampled(Handle const& file, std::filesystem::path const& path, std::string const& group,
                          ValuationInput const& input) {
    std::string const origin = path.string(), name = group + "/query";
    auto const queries = read_column<std::int64_t>(file, origin, name, "int64", {0});
    SampledLists sampled{{queries.begin(), queries.end()},
                         open_lists(file, path, group, queries.size(), input.ids.size())};
    for (std::size_t i = 0; i < queries.size(); ++i)
        if (queries[i] < 0 || sampled.queries[i] >= input.generated_ids.size() ||
            (i > 0 && queries[i] <= queries[i - 1]))
            fail(Exit::data, "{}: {}[{}] is {} (must ascend, below {}). Write it so", origin, name, i,
                 queries[i], input.generated_ids.size());
    if (sampled.lists.k != input.neighbours.k)
        fail(Exit::data, "{}: {} has lists of {} rows, {} of {} (they are compared). Write them so", origin,
             group, sampled.lists.k, kNeighbours, input.neighbours.k);
    return sampled;
}

ValuationInput read_from(Handle const& file, std::filesystem::path const& path) {
    std::string const origin = path.string();
    ValuationInput input;
    input.ids = read_column<std::uint64_t>(file, origin, kTrainingIds, "uint64", {0});
    input.generated_ids = read_column<std::uint64_t>(file, origin, kGeneratedIds, "uint64", {0});
    std::uint64_t const n = input.ids.size(), m = input.generated_ids.size();
    input.labels = read_labels(file, origin, kTrainingLabels, n);
    input.generated_labels = read_labels(file, origin, kGeneratedLabels, m);
    input.groups = read_if_there<std::int64_t>(file, origin, kTrainingGroups, "int64", {n});
    input.quality = read_quality(file, origin, m);
    read_both_attributes(file, origin, input);
    input.neighbours = open_lists(file, path, kNeighbours, m, n);
    if (store::exists(file, kPixelNeighbours))
        input.pixels = open_lists(file, path, kPixelNeighbours, m, n);
    if (store::exists(file, kToGenerated))
        input.to_generated = open_lists(file, path, kToGenerated, n, m);
    if (store::exists(file, kExactNeighbours))
        input.exact = read_sampled(file, path, kExactNeighbours, input);
    if (store::exists(file, kDoubledNeighbours))
        input.doubled = read_sampled(file, path, kDoubledNeighbours, input);
    if (store::exists(file, kHeldOutToTraining))
        input.held_out_to_training = open_lists(file, path, kHeldOutToTraining, 0, n);
    if (store::exists(file, kToHeldOut))
        input.to_held_out = open_lists(file, path, kToHeldOut, m,
                                       input.held_out_to_training ? input.held_out_to_training->queries
                                                                  : std::numeric_limits<std::int64_t>::max());
    return input;
}

} // namespace

ValuationInput read_columns(std::filesystem::path const& path) {
    return store::in_file(path, Exit::data, kDamaged,
                          [&] { return read_from(store::open_to_read(path), path); });
}

namespace {

std::string space_of(job::Features const& features) {
    std::string const first =
        features.space == "pca" ? fmt::format("pca ({})", features.components) : features.space;
    return features.second == "none" ? first : fmt::format("{}, then {}", first, features.second);
}

} // namespace

ValuationOptions options_of(job::Job const& job) {
    job::Valuation const& wanted = job.valuation;
    return {.k = wanted.k,
            .temperature = temperature_of(wanted.temperature).value(), // the job file allows no other
            .perplexity = wanted.perplexity,
            .quality = wanted.quality == "none"       ? QualityMode::none
                       : wanted.quality_mode == "raw" ? QualityMode::raw
                                                      : QualityMode::mean1,
            .distance = wanted.distance,
            .space = space_of(job.features),
            .confidence = wanted.confidence,
            .bootstrap = wanted.bootstrap,
            .shapley_k = wanted.shapley_k,
            .listed = wanted.listed,
            .seed = static_cast<std::uint64_t>(job.job.seed)};
}

} // namespace assay::valuation
