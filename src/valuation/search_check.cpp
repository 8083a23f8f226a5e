#include "valuation/search_check.hpp"

#include "assay/base/stats.hpp"
#include "assay/valuation/lists.hpp"

#include <algorithm>
#include <cmath>

namespace assay::valuation {

namespace {

// Share of the k that are no farther than the reference's k-th
double recall_of(std::span<double const> found, std::span<double const> reference) {
    auto const near = std::ranges::upper_bound(found, reference.back()) - found.begin();
    return static_cast<double>(near) / static_cast<double>(found.size());
}

// Mean with its standard error, which is none if these are all there are
Rate mean_of(std::vector<double> const& values, std::uint64_t all) {
    auto const n = static_cast<double>(values.size());
    return {mean(values), values.size() == all ? 0 : sd(values) / std::sqrt(n)};
}

// Share of rows of the generated sample's class, over the samples of known class
class ClassRate {
  public:
    explicit ClassRate(ValuationInput const& input) : input_(input) {}
    void add(std::uint64_t query, std::span<std::int64_t const> rows) {
        if (input_.labels.empty() || input_.generated_labels.empty() || input_.generated_labels[query] < 0)
            return;
        matches_ += std::ranges::count_if(rows, [&](std::int64_t row) {
            return input_.labels[static_cast<std::size_t>(row)] == input_.generated_labels[query];
        });
        rows_ += rows.size();
    }
    double value() const { return static_cast<double>(matches_) / static_cast<double>(rows_); }

  private:
    ValuationInput const& input_;
    std::int64_t matches_ = 0;
    std::uint64_t rows_ = 0;
};

} // namespace

SearchCheck check_search(ValuationInput const& input, SampledLists const& reference,
                         Splitting const& splitting) {
    auto const k = static_cast<std::size_t>(splitting.k);
    Splitter splitter(splitting);
    std::vector<std::int64_t> difference(input.ids.size()); // in units of credit
    auto const add_credit = [&](std::span<std::int64_t const> rows, int sign) {
        for (std::size_t r = 0; r < k; ++r)
            difference[static_cast<std::size_t>(rows[r])] += sign * splitter.shares()[r];
    };
    ClassRate found_class(input), right_class(input);
    std::vector<double> recalls;
    std::uint64_t changed = 0;
    std::int64_t total = 0;
    for_each_list(reference.lists, [&](std::uint64_t i, std::span<std::int64_t const> right_rows,
                                       std::span<double const> right_distances) {
        std::uint64_t const j = reference.queries[i];
        Neighbours const list = input.neighbours.read(j, 1);
        std::span const rows = std::span(list.rows).first(k);
        std::span const distances = std::span(list.distances).first(k);
        right_rows = right_rows.first(k);
        right_distances = right_distances.first(k);
        splitter.split(j, distances);
        add_credit(rows, 1);
        splitter.split(j, right_distances);
        add_credit(right_rows, -1);
        total += splitting.quality[j];
        recalls.push_back(recall_of(distances, right_distances));
        changed += !std::ranges::equal(rows, right_rows);
        found_class.add(j, rows);
        right_class.add(j, right_rows);
    });
    std::int64_t moved = 0;
    for (std::int64_t each : difference)
        moved += std::abs(each);
    SearchCheck check;
    check.queries = recalls.size();
    check.recall = mean_of(recalls, input.generated_ids.size());
    std::sort(recalls.begin(), recalls.end());
    check.fifth_percentile = recalls[recalls.size() / 20];
    check.minimum = recalls.front();
    check.changed = static_cast<double>(changed) / static_cast<double>(recalls.size());
    check.credit_moved = static_cast<double>(moved) / 2 / static_cast<double>(total);
    check.class_change = found_class.value() - right_class.value();
    return check;
}

} // namespace assay::valuation
