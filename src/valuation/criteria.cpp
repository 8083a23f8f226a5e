#include "assay/valuation/criteria.hpp"

#include "assay/base/random.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace assay::valuation {

MatchRate::MatchRate(std::vector<std::int64_t> ks)
    : ks_(std::move(ks)), sums_(ks_.size()), squares_(ks_.size()) {}

void MatchRate::add(std::span<std::uint8_t const> matches) {
    ++queries_;
    std::int64_t found = 0, rank = 0;
    for (std::size_t i = 0; i < ks_.size(); ++i) {
        for (; rank < ks_[i]; ++rank)
            found += matches[static_cast<std::size_t>(rank)];
        sums_[i] += found;
        squares_[i] += found * found;
    }
}

std::vector<Rate> MatchRate::result() const {
    std::vector<Rate> rates;
    auto const n = static_cast<double>(queries_);
    for (std::size_t i = 0; i < ks_.size(); ++i) {
        auto const k = static_cast<double>(ks_[i]), sum = static_cast<double>(sums_[i]);
        double const variance = (static_cast<double>(squares_[i]) - sum * sum / n) / (n - 1) / (k * k);
        rates.push_back({sum / (k * n), queries_ < 2 ? std::numeric_limits<double>::quiet_NaN()
                                                     : std::sqrt(std::max(0.0, variance) / n)});
    }
    return rates;
}

std::vector<std::int64_t> criterion_ks(std::int64_t k, std::int64_t stored) {
    std::vector<std::int64_t> ks{1, 5, 10, 15, 30, 50, 100, k};
    std::sort(ks.begin(), ks.end());
    ks.erase(std::unique(ks.begin(), ks.end()), ks.end());
    std::erase_if(ks, [stored](std::int64_t each) { return each > stored; });
    return ks;
}

void draw_rows(std::uint64_t seed, std::uint64_t id, std::uint64_t rows, std::span<std::int64_t> out) {
    Random random(seed, "valuation random rows", id);
    for (std::int64_t& row : out)
        row = static_cast<std::int64_t>(random.below(rows));
}

CriterionSum::CriterionSum(std::vector<std::int64_t> ks, std::vector<std::int64_t> pixel_ks, double chance)
    : rates_(ks), random_(std::move(ks)), pixels_(std::move(pixel_ks)), chance_(chance) {}

std::span<std::uint8_t const> CriterionSum::compare(std::int64_t wanted,
                                                    std::span<std::int64_t const> values) {
    matches_.resize(values.size());
    std::transform(values.begin(), values.end(), matches_.begin(),
                   [wanted](std::int64_t value) -> std::uint8_t { return value == wanted; });
    return matches_;
}

void CriterionSum::add(std::int64_t wanted, std::span<std::int64_t const> values,
                       std::span<double const> weights) {
    if (wanted < 0)
        return;
    ++queries_;
    rates_.add(compare(wanted, values));
    for (std::size_t r = 0; r < weights.size(); ++r)
        weighted_ += matches_[r] ? weights[r] : 0;
}

void CriterionSum::add_random(std::int64_t wanted, std::span<std::int64_t const> values) {
    if (wanted >= 0)
        random_.add(compare(wanted, values));
}

void CriterionSum::add_pixels(std::int64_t wanted, std::span<std::int64_t const> values) {
    if (wanted >= 0)
        pixels_.add(compare(wanted, values));
}

Criterion CriterionSum::result() const {
    return {rates_.ks(),      pixels_.ks(),     rates_.result(),
            random_.result(), pixels_.result(), weighted_ / static_cast<double>(queries_),
            chance_};
}

double chance_of_match(std::span<std::int64_t const> rows, std::span<std::int64_t const> queries) {
    std::map<std::int64_t, std::pair<double, double>> counts;
    double known = 0;
    for (std::int64_t value : rows)
        counts[value].first += 1;
    for (std::int64_t value : queries) {
        counts[value].second += 1;
        known += value >= 0;
    }
    double sum = 0;
    for (auto const& [value, count] : counts)
        sum += value >= 0 ? count.first * count.second : 0;
    return sum / (static_cast<double>(rows.size()) * known);
}

} // namespace assay::valuation
