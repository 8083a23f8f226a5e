#include "app/valuation_sheet.hpp"

#include "assay/report/sheet.hpp"
#include "assay/valuation/columns.hpp"

#include <algorithm>
#include <numeric>
#include <set>

namespace assay::app {

namespace {

constexpr std::size_t kQueries = 10, kNeighboursShown = 8, kRowsShown = 9;

// The first sample of each class, or simply the first ones
std::vector<std::uint64_t> shown_queries(data::View const& generated) {
    std::vector<std::uint64_t> shown;
    constexpr std::uint64_t kLookedAt = 10000;
    std::uint64_t const looked_at = std::min(kLookedAt, generated.size());
    if (!generated.info().has_labels) {
        shown.resize(std::min<std::uint64_t>(kQueries, looked_at));
        std::iota(shown.begin(), shown.end(), 0);
        return shown;
    }
    std::set<std::int64_t> seen;
    std::vector<std::int64_t> const labels = generated.labels(0, looked_at);
    for (std::uint64_t i = 0; i < looked_at && shown.size() < kQueries; ++i)
        if (seen.insert(labels[i]).second)
            shown.push_back(i);
    return shown;
}

report::ValuationPictures::Generated with_neighbours(std::uint64_t query,
                                                     valuation::NeighbourLists const& lists,
                                                     valuation::Valuation const& valuation) {
    valuation::Neighbours const list = lists.read(query, 1);
    auto const k = static_cast<std::size_t>(valuation.options.k);
    std::vector<double> weights(k);
    valuation::weigh({valuation.options.temperature, valuation.options.perplexity, valuation.weights.tau},
                     std::span(list.distances).first(k), weights);
    report::ValuationPictures::Generated shown{query, {}};
    for (std::size_t r = 0; r < std::min(k, kNeighboursShown); ++r)
        shown.neighbours.push_back({static_cast<std::uint64_t>(list.rows[r]), weights[r], list.distances[r]});
    return shown;
}

// Rows in order of credit, then of row; from the other end for the least
std::vector<report::ValuationPictures::Valued> extreme(std::vector<double> const& credit, bool most) {
    std::vector<std::uint64_t> rows(credit.size());
    std::iota(rows.begin(), rows.end(), 0);
    std::size_t const count = std::min(kRowsShown, rows.size());
    std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(count), rows.end(),
                      [&](std::uint64_t a, std::uint64_t b) {
                          if (credit[a] != credit[b])
                              return most ? credit[a] > credit[b] : credit[a] < credit[b];
                          return a < b;
                      });
    std::vector<report::ValuationPictures::Valued> valued;
    for (std::size_t i = 0; i < count; ++i)
        valued.push_back({rows[i], credit[rows[i]]});
    return valued;
}

} // namespace

void write_valuation_sheet(JobRun const& run, Sides const& sides, std::filesystem::path const& results,
                           valuation::Valuation const& valuation) {
    if (!report::are_pictures(sides.training.info()) || !report::are_pictures(sides.generated.info()))
        return;
    valuation::ValuationInput const input = valuation::read_columns(results);
    report::ValuationPictures shown;
    for (std::uint64_t query : shown_queries(sides.generated))
        shown.generated.push_back(with_neighbours(query, input.neighbours, valuation));
    shown.top = extreme(valuation.credit, /*most=*/true);
    shown.bottom = extreme(valuation.credit, /*most=*/false);
    report::write_png(
        run.files.sheet(),
        report::draw(report::valuation_sheet(run.job.job.name, shown, sides.generated, sides.training)),
        /*overwrite=*/true);
}

} // namespace assay::app
