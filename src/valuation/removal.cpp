#include "assay/valuation/removal.hpp"

#include "assay/base/random.hpp"
#include "assay/store/array.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <tuple>

namespace assay::valuation {

namespace {

std::vector<std::uint64_t> take(std::span<std::uint64_t const> ids, std::span<std::size_t const> rows) {
    std::vector<std::uint64_t> taken;
    for (std::size_t row : rows)
        taken.push_back(ids[row]);
    std::sort(taken.begin(), taken.end());
    return taken;
}

void write_list(std::filesystem::path const& path, std::vector<std::uint64_t> const& ids) {
    store::in_file(path, Exit::io, "Free space or use --output", [&] {
        store::Handle const file = store::create_file(path);
        store::Handle const list =
            store::create_dataset(file, "/exclude", store::native_type<std::uint64_t>(), {ids.size()});
        store::write_rows(list, 0, ids.size(), store::native_type<std::uint64_t>(), ids.data());
        store::require(H5Fflush(file.id(), H5F_SCOPE_GLOBAL), "flushing");
    });
}

} // namespace

std::vector<double> tie_broken_scores(std::span<double const> credit, std::span<double const> mean_distance) {
    auto const key = [&](std::size_t row) {
        double const distance = mean_distance[row];
        return std::pair(credit[row],
                         std::isnan(distance) ? -std::numeric_limits<double>::infinity() : -distance);
    };
    std::vector<std::size_t> order(credit.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
    std::vector<double> scores(credit.size());
    double rank = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
        rank += i > 0 && key(order[i]) != key(order[i - 1]);
        scores[order[i]] = rank;
    }
    return scores;
}

RemovalLists removal_lists(std::span<double const> credit, std::span<double const> mean_distance,
                           std::span<std::uint64_t const> ids, double share, std::uint64_t seed) {
    std::vector<double> const scores = tie_broken_scores(credit, mean_distance);
    std::vector<std::size_t> const drawn = keyed_order(ids, seed);
    std::vector<std::size_t> order = keyed_order(ids, seed + 1); // equal scores stay in it
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
    auto const count = static_cast<std::size_t>(std::llround(share * static_cast<double>(ids.size())));
    std::span<std::size_t const> const ascending = order;
    RemovalLists lists{share, take(ids, ascending.last(count)), take(ids, ascending.first(count)),
                       take(ids, std::span(drawn).first(count)), 0};
    if (count > 0 && count < order.size() && scores[order[count - 1]] == scores[order[count]])
        lists.tied = static_cast<std::uint64_t>(
            std::ranges::count_if(ascending.first(count), [&, edge = scores[order[count]]](std::size_t row) {
                return scores[row] == edge;
            }));
    return lists;
}

void write_removal_lists(std::filesystem::path const& folder, RemovalLists const& lists) {
    std::error_code ignored; // a folder that cannot be made shows when a file is created
    std::filesystem::create_directories(folder, ignored);
    write_list(folder / "top.h5", lists.top);
    write_list(folder / "bottom.h5", lists.bottom);
    write_list(folder / "random.h5", lists.random);
}

} // namespace assay::valuation
