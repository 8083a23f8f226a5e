#include "assay/valuation/groups.hpp"

#include "assay/base/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace assay::valuation {

namespace {

Interval scaled(Interval const& interval, double factor) {
    return {interval.first * factor, interval.second * factor};
}

} // namespace

Grouping group_by(std::string name, std::span<std::int64_t const> values) {
    Grouping grouping{std::move(name), {values.begin(), values.end()}, {}, {}};
    std::sort(grouping.values.begin(), grouping.values.end());
    grouping.values.erase(std::unique(grouping.values.begin(), grouping.values.end()), grouping.values.end());
    grouping.sizes.resize(grouping.values.size());
    grouping.of.reserve(values.size());
    for (std::int64_t value : values) {
        auto const place = std::lower_bound(grouping.values.begin(), grouping.values.end(), value);
        auto const group = static_cast<std::uint32_t>(place - grouping.values.begin());
        grouping.of.push_back(group);
        ++grouping.sizes[group];
    }
    return grouping;
}

GroupSum::GroupSum(Grouping grouping, std::uint64_t replicates)
    : grouping_(std::move(grouping)),
      credit_(grouping_.values.size()),
      replicates_(grouping_.values.size(), replicates),
      of_query_(grouping_.values.size()) {}

void GroupSum::add(std::span<std::int64_t const> rows, std::span<std::int64_t const> shares,
                   std::span<std::uint8_t const> counts) {
    touched_.clear();
    for (std::size_t r = 0; r < rows.size(); ++r) {
        std::uint32_t const group = grouping_.of[static_cast<std::size_t>(rows[r])];
        if (shares[r] != 0 && of_query_[group] == 0)
            touched_.push_back(group);
        of_query_[group] += shares[r];
    }
    for (std::uint32_t group : touched_) {
        credit_[group] += of_query_[group];
        replicates_.add(group, of_query_[group], counts);
        of_query_[group] = 0;
    }
}

std::vector<GroupCredit> GroupSum::result(std::int64_t total, std::span<std::int64_t const> totals, int bits,
                                          double confidence) const {
    std::int64_t const found = std::accumulate(credit_.begin(), credit_.end(), std::int64_t{0});
    if (found != total)
        fail(Exit::internal, "the groups hold {} units of credit, the queries had {} (a bug)", found, total);
    double const unit = std::ldexp(1.0, -bits), rows = static_cast<double>(grouping_.of.size());
    std::vector<GroupCredit> result;
    for (std::size_t g = 0; g < credit_.size(); ++g) {
        double const size = static_cast<double>(grouping_.sizes[g]);
        std::vector<double> credits, shares;
        for (std::size_t b = 0; b < totals.size(); ++b) {
            auto const credit = static_cast<double>(replicates_.of(g)[b]);
            credits.push_back(credit * unit);
            shares.push_back(totals[b] == 0 ? std::numeric_limits<double>::quiet_NaN()
                                            : credit / static_cast<double>(totals[b]));
        }
        GroupCredit& group = result.emplace_back();
        group.value = grouping_.values[g];
        group.size = grouping_.sizes[g];
        group.credit = static_cast<double>(credit_[g]) * unit;
        group.share = static_cast<double>(credit_[g]) / static_cast<double>(total);
        group.mean = group.credit / size;
        group.lift = group.share * rows / size;
        group.credit_interval = percentile_interval(std::move(credits), confidence);
        group.share_interval = percentile_interval(std::move(shares), confidence);
        group.mean_interval = scaled(group.credit_interval, 1 / size);
        group.lift_interval = scaled(group.share_interval, rows / size);
    }
    return result;
}

} // namespace assay::valuation
