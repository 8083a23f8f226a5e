#include "assay/valuation/search.hpp"

#include "assay/base/error.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/smallest.hpp"
#include "valuation/avx2.hpp"
#include "valuation/smallest.hpp"

#include <ATen/Parallel.h>

#include <array>
#include <cmath>

namespace assay::valuation {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// A slice row that may be near
struct Candidate {
    float approximate = kInfinity; // a_ij
    std::int32_t row = 0;
    bool operator<(Candidate const& other) const { return approximate < other.approximate; }
};
using Candidates = Smallest<Candidate>;

// List length for k neighbours. Beyond the k-th there must be room for the rows within 2 E_j of it: on
// Fashion-MNIST's raw pixels, large and far from centred, they are 2 to 8 % of k (docs/experiments/search.md)
std::size_t list_length(std::int64_t k) {
    return static_cast<std::size_t>(k + k / 8 + 16);
}

// a_ij from <x_i, y_j> and what depends on the row alone
struct Terms {
    float const* bias;
    float scale;
    float operator()(float const* dots, std::int64_t i) const { return bias[i] + scale * dots[i]; }
};

// Rows first, first + 1, ... with products `dots`. Most are too far: blocks of them are passed over without
// looking at each; from the others the near rows are picked without a branch, which nobody could predict
ASSAY_AVX2 void offer(Candidates& list, float const* dots, Terms terms, std::int64_t first,
                      std::int64_t count) {
    constexpr std::int64_t kBlock = 32;
    std::array<Candidate, kBlock> near;
    for (std::int64_t begin = 0; begin < count; begin += kBlock) {
        std::int64_t const end = std::min(begin + kBlock, count);
        float const limit = list.limit().approximate;
        int below = 0;
        for (std::int64_t i = begin; i < end; ++i)
            below |= static_cast<int>(terms(dots, i) < limit);
        if (below == 0)
            continue;
        std::size_t found = 0;
        for (std::int64_t i = begin; i < end; ++i) {
            near[found] = {terms(dots, i), static_cast<std::int32_t>(first + i)};
            found += static_cast<std::size_t>(near[found].approximate < limit);
        }
        for (std::size_t n = 0; n < found; ++n)
            list.add(near[n]);
    }
}

// Does the list hold every row of the slice up to the bound?
bool is_complete(Candidates const& list, float bound) {
    return bound < list.limit().approximate;
}

// For each query in parallel
void for_each_query(std::int64_t count, std::function<void(std::size_t)> const& work) {
    at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t q = begin; q < end; ++q)
            work(static_cast<std::size_t>(q));
    });
}

at::ScalarType torch_type(Storage storage) {
    switch (storage) {
    case Storage::float16:
        return at::kHalf;
    case Storage::bfloat16:
        return at::kBFloat16;
    default:
        return at::kFloat;
    }
}

// A tensor that shares memory which nobody writes
at::Tensor view_of(void const* data, at::IntArrayRef sizes, at::ScalarType type = at::kFloat) {
    return at::from_blob(const_cast<void*>(data), sizes, type);
}

} // namespace

struct Searcher::State {
    TrainingRows const& rows;
    at::Device device;
    bool select_on_device;
    std::int64_t row_tile;
    at::Tensor slice;        // [size, width] as stored, on the device
    std::vector<float> bias; // of slice rows, as in Terms
    at::Tensor device_bias;
    std::int64_t second_passes = 0;

    State(TrainingRows const& training, SearchOptions const& options)
        : rows(training),
          device(options.device),
          select_on_device(options.select_on_device.value_or(!device.is_cpu())),
          row_tile(options.row_tile),
          bias(training.squared_norms()) {
        if (rows.size() > std::numeric_limits<std::int32_t>::max())
            fail(Exit::usage, "{} training rows on one rank (more than 2^31). Use more ranks", rows.size());
        at::globalContext().setAllowTF32CuBLAS(false); // rounding_bound() counts on single precision
        if (rows.distance() == Distance::inner_product)
            std::fill(bias.begin(), bias.end(), 0.F);
        slice = view_of(rows.data(), {rows.size(), rows.width()}, torch_type(rows.storage())).to(device);
        device_bias = view_of(bias.data(), {rows.size()}).to(device);
    }

    float scale() const { return rows.distance() == Distance::inner_product ? -1.F : -2.F; }

    // Rows of a tile: 8 MB of products, and of widened rows, for each thread that takes queries apart, stay
    // in a processor's last cache
    std::int64_t tile_for(std::int64_t queries) const {
        std::int64_t const elements = device.is_cpu() ? 1 << 21 : 1 << 27;
        return row_tile > 0
                   ? row_tile
                   : std::clamp<std::int64_t>(elements / std::max(queries, rows.width()), 64, 1 << 16);
    }

    // Calls visit(first query, first slice row, products [queries, rows of the tile]) for all queries and
    // rows. Where there are queries enough for all threads, each takes some of them through the rows by
    // itself, and picks what is near from its own cache; where not, the threads share each product
    void
    for_each_tile(at::Tensor const& queries, std::function<void()> const& between_tiles,
                  std::function<void(std::int64_t, std::int64_t, at::Tensor const&)> const& visit) const {
        constexpr std::int64_t kEnough = 256;
        std::int64_t const count = queries.size(0), threads = at::get_num_threads();
        bool const apart = device.is_cpu() && count >= kEnough * threads;
        at::parallel_for(0, count, apart ? kEnough : count, [&](std::int64_t begin, std::int64_t end) {
            bool const calls = at::get_thread_num() == 0; // the thread that may use MPI
            for_each_tile_of(queries.slice(0, begin, end),
                             [&](std::int64_t first, at::Tensor const& products) {
                                 visit(begin, first, products);
                                 if (calls && between_tiles)
                                     between_tiles();
                             });
        });
    }

    void for_each_tile_of(at::Tensor const& queries,
                          std::function<void(std::int64_t, at::Tensor const&)> const& visit) const {
        std::int64_t const tile = tile_for(queries.size(0));
        at::Tensor dots = at::empty({0}, queries.options()), widened = at::empty({0}, queries.options());
        for (std::int64_t first = 0; first < rows.size(); first += tile) {
            std::int64_t const count = std::min(tile, rows.size() - first);
            at::Tensor part = slice.narrow(0, first, count);
            if (part.scalar_type() != at::kFloat) {
                widened.resize_({count, rows.width()});
                part = widened.copy_(part);
            }
            dots.resize_({queries.size(0), count});
            at::mm_out(dots, queries, part.t());
            visit(first, dots);
        }
    }

    std::vector<Candidates> propose(at::Tensor const& queries, std::int64_t k,
                                    std::function<void()> const& between_tiles) {
        std::vector<Candidates> lists;
        for (std::int64_t q = 0; q < queries.size(0); ++q)
            lists.emplace_back(list_length(k), Candidate());
        for_each_tile(queries, between_tiles,
                      [&](std::int64_t begin, std::int64_t first, at::Tensor const& products) {
                          std::span const theirs = std::span(lists).subspan(
                              static_cast<std::size_t>(begin), static_cast<std::size_t>(products.size(0)));
                          if (select_on_device)
                              offer_smallest(theirs, products, first, list_length(k));
                          else
                              offer_all(theirs, products, first);
                      });
        return lists;
    }

    void offer_all(std::span<Candidates> lists, at::Tensor const& products, std::int64_t first) const {
        at::Tensor const here = products.to(at::kCPU);
        float const* const values = here.data_ptr<float>();
        std::int64_t const count = here.size(1);
        for_each_query(here.size(0), [&](std::size_t q) {
            offer(lists[q], values + static_cast<std::int64_t>(q) * count, {bias.data() + first, scale()},
                  first, count);
        });
    }

    // The device finds each query's smallest of the tile; only those cross to the host
    void offer_smallest(std::span<Candidates> lists, at::Tensor const& products, std::int64_t first,
                        std::size_t length) const {
        std::int64_t const count = products.size(1), kept = std::min<std::int64_t>(count, length);
        at::Tensor const all = at::add(device_bias.narrow(0, first, count), products, scale());
        auto const [smallest, places] = at::topk(all, kept, 1, /*largest=*/false, /*sorted=*/true);
        at::Tensor const values = smallest.to(at::kCPU), columns = places.to(at::kCPU);
        for_each_query(products.size(0), [&](std::size_t q) {
            float const* const value = values.data_ptr<float>() + static_cast<std::int64_t>(q) * kept;
            std::int64_t const* const column =
                columns.data_ptr<std::int64_t>() + static_cast<std::int64_t>(q) * kept;
            for (std::int64_t i = 0; i < kept; ++i)
                if (Candidate const row{value[i], static_cast<std::int32_t>(first + column[i])};
                    row < lists[q].limit())
                    lists[q].add(row);
            if (kept < count)
                lists[q].lower_limit({value[kept - 1], 0});
        });
    }

    // Collective. t_j + 2 E_j, rounded up
    std::vector<float> bounds(std::vector<Candidates> const& lists, PreparedQueries const& queries,
                              std::int64_t k) const {
        auto const length = static_cast<std::size_t>(k);
        std::vector<float> smallest(lists.size() * length, kInfinity);
        for_each_query(queries.count, [&](std::size_t q) {
            std::vector<Candidate> sorted = lists[q].values();
            auto const kept = static_cast<std::ptrdiff_t>(std::min(sorted.size(), length));
            std::partial_sort(sorted.begin(), sorted.begin() + kept, sorted.end());
            std::transform(sorted.begin(), sorted.begin() + kept,
                           smallest.begin() + static_cast<std::ptrdiff_t>(q * length),
                           [](Candidate const& candidate) { return candidate.approximate; });
        });
        comm::all_smallest(rows.comm(), smallest, length);
        std::vector<float> bounds(lists.size());
        for (std::size_t q = 0; q < lists.size(); ++q) {
            double const error = rounding_bound(rows.distance(), static_cast<std::uint64_t>(rows.width()),
                                                queries.norms[q], rows.largest_norm());
            bounds[q] =
                std::nextafter(static_cast<float>(smallest[(q + 1) * length - 1] + 2 * error), kInfinity);
        }
        return bounds;
    }

    // The k nearest of the rows that complete lists hold up to their bounds. All queries' rows are keyed in
    // ascending order: each then comes from memory once, and its successor is on the way
    void key_listed(std::vector<Candidates> const& lists, std::vector<float> const& bounds,
                    PreparedQueries const& queries, std::int64_t k, std::vector<Keyed>& best) const {
        struct Pair {
            std::int32_t row, query;
            std::size_t place; // in `keyed`, where each query's rows are together
        };
        std::vector<Pair> pairs;
        std::vector<std::size_t> begin{0};
        for (std::size_t q = 0; q < lists.size(); ++q) {
            if (is_complete(lists[q], bounds[q]))
                for (Candidate const& candidate : lists[q].values())
                    if (candidate.approximate <= bounds[q])
                        pairs.push_back({candidate.row, static_cast<std::int32_t>(q), pairs.size()});
            begin.push_back(pairs.size());
        }
        std::sort(pairs.begin(), pairs.end(), [](Pair const& a, Pair const& b) { return a.row < b.row; });
        std::vector<Keyed> keyed(pairs.size());
        at::parallel_for(
            0, static_cast<std::int64_t>(pairs.size()), 64, [&](std::int64_t from, std::int64_t to) {
                std::vector<float> scratch;
                for (std::int64_t p = from; p < to; ++p) {
                    Pair const& pair = pairs[static_cast<std::size_t>(p)];
                    keyed[pair.place] =
                        rows.keyed(pair.row, queries.row(static_cast<std::size_t>(pair.query)), scratch);
                }
            });
        auto const length = static_cast<std::size_t>(k);
        for_each_query(queries.count, [&](std::size_t q) {
            keep_smallest(std::span(keyed).subspan(begin[q], begin[q + 1] - begin[q]),
                          std::span(best).subspan(q * length, length));
        });
    }

    // Exact keys of all rows up to the bound, for the given queries
    void second_pass(std::vector<std::size_t> const& which, std::vector<float> const& bounds,
                     PreparedQueries const& queries, std::int64_t k, std::vector<Keyed>& best,
                     std::function<void()> const& between_tiles) {
        second_passes += static_cast<std::int64_t>(which.size());
        at::Tensor const chosen =
            at::empty({static_cast<std::int64_t>(which.size()), rows.width()}, at::kFloat);
        std::vector<Smallest<Keyed>> lists(which.size(),
                                           Smallest<Keyed>(static_cast<std::size_t>(k), Keyed()));
        for (std::size_t w = 0; w < which.size(); ++w)
            std::copy_n(queries.row(which[w]).data(), rows.width(),
                        chosen.data_ptr<float>() + static_cast<std::int64_t>(w) * rows.width());
        auto const key_near = [&](std::int64_t begin, std::int64_t first, at::Tensor const& products) {
            at::Tensor const here = products.to(at::kCPU);
            Terms const terms{bias.data() + first, scale()};
            for_each_query(here.size(0), [&](std::size_t q) {
                std::size_t const w = static_cast<std::size_t>(begin) + q;
                float const* const dots =
                    here.data_ptr<float>() + static_cast<std::int64_t>(q) * here.size(1);
                std::vector<float> scratch;
                for (std::int64_t i = 0; i < here.size(1); ++i)
                    if (terms(dots, i) <= bounds[which[w]])
                        if (Keyed const row = rows.keyed(first + i, queries.row(which[w]), scratch);
                            row < lists[w].limit())
                            lists[w].add(row);
            });
        };
        for_each_tile(chosen.to(device), between_tiles, key_near);
        auto const length = static_cast<std::size_t>(k);
        for (std::size_t w = 0; w < which.size(); ++w)
            lists[w].sorted_into(std::span(best).subspan(which[w] * length, length));
    }
};

Searcher::Searcher(TrainingRows const& rows, SearchOptions const& options)
    : state_(std::make_unique<State>(rows, options)) {}
Searcher::~Searcher() = default;
Searcher::Searcher(Searcher&&) noexcept = default;

std::int64_t Searcher::second_passes() const {
    return state_->second_passes;
}

Neighbours Searcher::search(QueryBlock block, std::int64_t k, int owner,
                            std::function<void()> const& between_tiles) {
    TrainingRows const& rows = state_->rows;
    PreparedQueries const queries = rows.prepare(std::move(block), k);
    at::Tensor const on_device =
        view_of(queries.values.data(), {queries.count, rows.width()}).to(state_->device);
    std::vector<Candidates> const lists = state_->propose(on_device, k, between_tiles);
    std::vector<float> const bounds = state_->bounds(lists, queries, k);
    std::vector<Keyed> best(lists.size() * static_cast<std::size_t>(k));
    std::vector<std::size_t> incomplete;
    for (std::size_t q = 0; q < lists.size(); ++q)
        if (!is_complete(lists[q], bounds[q]))
            incomplete.push_back(q);
    state_->key_listed(lists, bounds, queries, k, best);
    if (!incomplete.empty())
        state_->second_pass(incomplete, bounds, queries, k, best, between_tiles);
    return rows.merge(std::move(best), k, owner);
}

Neighbours nearest_among(TrainingRows const& rows, QueryBlock block, std::span<std::int64_t const> candidates,
                         std::int64_t k, int owner) {
    PreparedQueries const queries = rows.prepare(std::move(block), k);
    auto const n = static_cast<std::size_t>(queries.count), length = static_cast<std::size_t>(k);
    std::size_t const of_each = n == 0 ? 0 : candidates.size() / n;
    std::vector<Keyed> best(n * length);
    for_each_query(queries.count, [&](std::size_t q) {
        std::vector<Keyed> found;
        std::vector<float> scratch;
        for (std::int64_t row : candidates.subspan(q * of_each, of_each))
            if (row >= rows.begin() && row < rows.begin() + rows.size())
                found.push_back(rows.keyed(row - rows.begin(), queries.row(q), scratch));
        keep_smallest(std::span(found), std::span(best).subspan(q * length, length));
    });
    return rows.merge(std::move(best), k, owner);
}

} // namespace assay::valuation
