#include "assay/valuation/inverted_lists.hpp"

#include "assay/base/error.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/valuation/search.hpp"
#include "valuation/draw.hpp"
#include "valuation/smallest.hpp"

#include <ATen/Parallel.h>
#include <faiss/Clustering.h>
#include <faiss/IndexFlat.h>

#include <cmath>

namespace assay::valuation {

namespace {

constexpr std::int64_t kIterations = 10; // of k-means
constexpr std::int64_t kBlock = 1024;    // rows sorted into cells at a time

// A matrix of one rank that reads as a matrix of features
FeatureMatrix in_memory(std::vector<float> const& values, std::uint64_t width) {
    return {"centroids", values.size() / width, width,
            [&values, width](std::uint64_t begin, std::uint64_t count, std::span<float> out) {
                std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(begin * width), count * width,
                            out.begin());
            }};
}

// Root alone. k-means; empty cells split the largest (faiss's own)
std::vector<float> cluster(std::vector<float> const& sample, std::int64_t width, std::int64_t lists,
                           std::uint64_t seed) {
    faiss::ClusteringParameters parameters;
    parameters.niter = kIterations;
    parameters.seed = static_cast<int>(Random(seed, "k-means").bits() >> 1);
    parameters.min_points_per_centroid = 1;                     // otherwise it warns
    parameters.max_points_per_centroid = kSampleOfEachCell + 1; // as many as there are
    faiss::Clustering clustering(static_cast<int>(width), static_cast<int>(lists), parameters);
    faiss::IndexFlatL2 index(width);
    clustering.train(static_cast<std::int64_t>(sample.size()) / width, sample.data(), index);
    return clustering.centroids;
}

// Collective. The sample's rows that this rank holds, all together on root, in order
std::vector<float> gather_sample(TrainingRows const& rows, std::vector<std::uint64_t> const& drawn) {
    std::vector<float> mine, row(static_cast<std::size_t>(rows.width()));
    for (std::uint64_t each : drawn)
        if (auto const r = static_cast<std::int64_t>(each) - rows.begin(); r >= 0 && r < rows.size()) {
            rows.widen(r, row);
            mine.insert(mine.end(), row.begin(), row.end());
        }
    return comm::gather(rows.comm(), mine);
}

} // namespace

std::int64_t number_of_cells(std::uint64_t rows, std::int64_t wanted) {
    return wanted > 0 ? wanted
                      : std::min(std::llround(4 * std::sqrt(static_cast<double>(rows))),
                                 static_cast<long long>(rows));
}

std::vector<float> place_cells(TrainingRows const& rows, IvfOptions const& options) {
    std::int64_t const lists = number_of_cells(static_cast<std::uint64_t>(rows.total()), options.lists);
    comm::agree(rows.comm(), [&] {
        if (lists > rows.total())
            fail(Exit::usage, "{} inverted lists for {} training rows (some would be empty). Ask for fewer",
                 lists, rows.total());
    });
    std::vector<float> const sample =
        gather_sample(rows, draw_rows(static_cast<std::uint64_t>(rows.total()),
                                      static_cast<std::uint64_t>(lists * kSampleOfEachCell), options.seed,
                                      "k-means sample"));
    std::vector<float> centroids;
    comm::agree(rows.comm(), [&] {
        if (rows.comm().is_root())
            centroids = cluster(sample, rows.width(), lists, options.seed);
    });
    centroids.resize(static_cast<std::size_t>(lists * rows.width()));
    comm::broadcast_bytes(rows.comm(), centroids.data(), centroids.size() * sizeof(float));
    return centroids;
}

struct InvertedLists::State {
    TrainingRows const& rows;
    std::int64_t lists, probes;
    std::vector<float> values;         // of the centroids
    TrainingRows centroids;            // on every rank: they place rows ...
    TrainingRows probed;               // ... and choose what a query looks through
    std::vector<std::size_t> begin;    // of each list in `members`, and the end of the last
    std::vector<std::int32_t> members; // slice rows, by list
    std::vector<std::int64_t> sizes;   // of lists, on all ranks together

    State(TrainingRows const& training, std::vector<float> placed, std::int64_t wanted)
        : rows(training),
          lists(static_cast<std::int64_t>(placed.size()) / training.width()),
          probes(std::min(wanted, lists)),
          values(std::move(placed)),
          centroids({}, in_memory(values, static_cast<std::uint64_t>(rows.width())), Distance::squared_l2,
                    Storage::float32),
          probed({}, in_memory(values, static_cast<std::uint64_t>(rows.width())),
                 rows.distance() == Distance::inner_product ? Distance::inner_product : Distance::squared_l2,
                 Storage::float32) {
        sort_rows_into_lists();
    }

    // A row belongs to the nearest centroid
    void sort_rows_into_lists() {
        Searcher nearest(centroids);
        auto const width = static_cast<std::size_t>(rows.width());
        std::vector<std::int64_t> list_of;
        for (std::int64_t first = 0; first < rows.size(); first += kBlock) {
            std::int64_t const count = std::min(kBlock, rows.size() - first);
            QueryBlock block{"training rows", 0, std::vector<float>(static_cast<std::size_t>(count) * width)};
            for (std::int64_t r = 0; r < count; ++r)
                rows.widen(first + r,
                           std::span(block.values).subspan(static_cast<std::size_t>(r) * width, width));
            Neighbours const found = nearest.search(std::move(block), 1, 0);
            list_of.insert(list_of.end(), found.rows.begin(), found.rows.end());
        }
        std::vector<std::int64_t> counts(static_cast<std::size_t>(lists), 0);
        for (std::int64_t list : list_of)
            ++counts[static_cast<std::size_t>(list)];
        begin.assign(1, 0);
        for (std::int64_t count : counts)
            begin.push_back(begin.back() + static_cast<std::size_t>(count));
        members.resize(list_of.size());
        std::vector<std::size_t> next = begin;
        for (std::size_t r = 0; r < list_of.size(); ++r)
            members[next[static_cast<std::size_t>(list_of[r])]++] = static_cast<std::int32_t>(r);
        sizes = comm::all_sum(rows.comm(), std::move(counts));
    }

    // Lists by their centroids' distance, for each query: `probes` of them, or as many more as hold k rows
    std::vector<std::vector<std::int64_t>> choose_lists(PreparedQueries const& queries,
                                                        std::int64_t k) const {
        Searcher nearest(probed);
        for (std::int64_t enough = probes;; enough = std::min(2 * enough, lists)) {
            Neighbours const found = nearest.search({"queries", 0, queries.values}, enough, 0);
            std::vector<std::vector<std::int64_t>> chosen;
            for (auto of_query = found.rows.begin(); of_query != found.rows.end(); of_query += enough)
                chosen.push_back(first_that_hold(k, {of_query, of_query + enough}));
            if (enough == lists ||
                std::none_of(chosen.begin(), chosen.end(), [](auto const& each) { return each.empty(); }))
                return chosen;
        }
    }

    // None if all together hold less than k rows
    std::vector<std::int64_t> first_that_hold(std::int64_t k, std::vector<std::int64_t> ordered) const {
        std::int64_t held = 0;
        for (std::size_t i = 0; i < ordered.size(); ++i) {
            held += sizes[static_cast<std::size_t>(ordered[i])];
            if (static_cast<std::int64_t>(i) + 1 >= probes && held >= k) {
                ordered.resize(i + 1);
                return ordered;
            }
        }
        return {};
    }
};

InvertedLists::InvertedLists(TrainingRows const& rows, std::vector<float> centroids, std::int64_t probes)
    : state_(std::make_unique<State>(rows, std::move(centroids), probes)) {}
InvertedLists::~InvertedLists() = default;
InvertedLists::InvertedLists(InvertedLists&&) noexcept = default;

Neighbours InvertedLists::search(QueryBlock block, std::int64_t k, int owner) const {
    TrainingRows const& rows = state_->rows;
    PreparedQueries const queries = rows.prepare(std::move(block), k);
    auto const chosen = state_->choose_lists(queries, k);
    auto const length = static_cast<std::size_t>(k);
    std::vector<Keyed> best(chosen.size() * length);
    at::parallel_for(0, queries.count, 1, [&](std::int64_t from, std::int64_t to) {
        std::vector<float> scratch;
        for (auto q = static_cast<std::size_t>(from); q < static_cast<std::size_t>(to); ++q) {
            Smallest<Keyed> nearest(length, Keyed());
            for (std::int64_t list : chosen[q])
                for (std::size_t m = state_->begin[static_cast<std::size_t>(list)];
                     m < state_->begin[static_cast<std::size_t>(list) + 1]; ++m)
                    if (Keyed const row = rows.keyed(state_->members[m], queries.row(q), scratch);
                        row < nearest.limit())
                        nearest.add(row);
            nearest.sorted_into(std::span(best).subspan(q * length, length));
        }
    });
    return rows.merge(std::move(best), k, owner);
}

} // namespace assay::valuation
