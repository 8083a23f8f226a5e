//! What the tests of the reduction share: features, their lists by a naive search, results files as a user
//! may write them.
#pragma once

#include "assay/base/random.hpp"
#include "assay/store/hdf5.hpp"
#include "assay/valuation/lists.hpp"
#include "assay/valuation/valuation.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace assay::valuation::test {

using Point = std::vector<double>;

//! Lists by a double loop: l2 distances, ascending by (distance, row).
inline Neighbours naive_lists(std::vector<Point> const& training, std::vector<Point> const& queries,
                              std::int64_t k) {
    Neighbours lists{k, {}, {}};
    for (Point const& query : queries) {
        std::vector<std::pair<double, std::int64_t>> all;
        for (std::size_t i = 0; i < training.size(); ++i) {
            double squared = 0;
            for (std::size_t c = 0; c < query.size(); ++c)
                squared += (training[i][c] - query[c]) * (training[i][c] - query[c]);
            all.emplace_back(std::sqrt(squared), static_cast<std::int64_t>(i));
        }
        std::sort(all.begin(), all.end());
        for (std::int64_t r = 0; r < k; ++r) {
            lists.distances.push_back(all[static_cast<std::size_t>(r)].first);
            lists.rows.push_back(all[static_cast<std::size_t>(r)].second);
        }
    }
    return lists;
}

inline std::vector<Point> random_points(std::uint64_t seed, std::size_t n, std::size_t width = 4) {
    Random random(seed, "test points");
    std::vector<Point> points(n, Point(width));
    for (Point& point : points)
        for (double& x : point)
            x = random.normal();
    return points;
}

//! Ids that are not row numbers.
inline std::vector<std::uint64_t> ids_of(std::size_t n, std::uint64_t first = 1000) {
    std::vector<std::uint64_t> ids(n);
    std::iota(ids.begin(), ids.end(), first);
    return ids;
}

inline ValuationInput input_of(Neighbours lists, std::size_t rows) {
    ValuationInput input;
    input.neighbours = lists_of(std::move(lists));
    input.ids = ids_of(rows);
    input.generated_ids = ids_of(input.neighbours.queries, 5);
    return input;
}

//! Writes columns into an open file.
template <class T>
void write_column(store::Handle const& file, std::string const& path, std::vector<T> const& values,
                  store::Shape shape = {}) {
    if (shape.empty())
        shape = {values.size()};
    store::Handle const column = store::create_dataset(file, path, store::native_type<T>(), shape);
    store::write_rows(column, 0, shape[0], store::native_type<T>(), values.data());
}

inline void write_lists(store::Handle const& file, std::string const& group, Neighbours const& lists) {
    auto const k = static_cast<std::uint64_t>(lists.k);
    write_column(file, group + "/row", lists.rows, {lists.rows.size() / k, k});
    write_column(file, group + "/distance", lists.distances, {lists.rows.size() / k, k});
}

} // namespace assay::valuation::test
