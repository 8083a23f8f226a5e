#include "assay/valuation/memorisation.hpp"

#include "assay/base/stats.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace assay::valuation {

namespace {

constexpr std::size_t kAveraged = 50; // of Carlini et al.; and alpha
constexpr double kAlpha = 0.5;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

bool is_closer(CopyCandidate const& a, CopyCandidate const& b) {
    auto const key = [](CopyCandidate const& c) {
        double const relative = std::isnan(c.relative) ? std::numeric_limits<double>::infinity() : c.relative;
        return std::tuple(relative, c.distance, c.generated);
    };
    return key(a) < key(b);
}

// Sum over groups of equal values of t^3 - t
double tie_term(std::span<double const> a, std::span<double const> b) {
    std::vector<double> all(a.begin(), a.end());
    all.insert(all.end(), b.begin(), b.end());
    std::sort(all.begin(), all.end());
    double sum = 0;
    for (auto first = all.begin(); first != all.end();) {
        auto const last = std::upper_bound(first, all.end(), *first);
        auto const t = static_cast<double>(last - first);
        sum += t * t * t - t;
        first = last;
    }
    return sum;
}

} // namespace

void NearestRows::add(std::span<std::int64_t const> rows, std::span<double const> distances) {
    std::span<double const> const nearest = distances.first(std::min(kAveraged, distances.size()));
    double const typical = kAlpha * mean(nearest);
    CopyCandidate const found{static_cast<std::int64_t>(distances_.size()), rows[0], distances[0],
                              typical > 0 && distances[0] >= 0 ? distances[0] / typical : kNone};
    averaged_ = static_cast<std::int64_t>(nearest.size());
    distances_.push_back(distances[0]);
    duplicates_ += distances[0] == 0;
    if (best_.size() == listed_ && (listed_ == 0 || !is_closer(found, best_.front())))
        return;
    if (best_.size() == listed_) {
        std::pop_heap(best_.begin(), best_.end(), is_closer);
        best_.pop_back();
    }
    best_.push_back(found);
    std::push_heap(best_.begin(), best_.end(), is_closer);
}

std::vector<CopyCandidate> NearestRows::candidates() const {
    std::vector<CopyCandidate> ascending = best_;
    std::sort(ascending.begin(), ascending.end(), is_closer);
    return ascending;
}

NearerTest nearer_test(std::span<double const> to_training, std::span<double const> to_held_out,
                       std::uint64_t training, std::uint64_t held_out) {
    double nearer = 0;
    for (std::size_t j = 0; j < to_training.size(); ++j)
        nearer += to_training[j] < to_held_out[j] ? 1 : to_training[j] == to_held_out[j] ? 0.5 : 0;
    auto const m = static_cast<double>(to_training.size());
    NearerTest test{nearer / m, kNone, kNone};
    if (held_out > 0) {
        auto const n = static_cast<double>(training), h = static_cast<double>(held_out);
        test.expected = n / (n + h);
        test.z = (test.share - test.expected) / std::sqrt(test.expected * (1 - test.expected) / m);
    }
    return test;
}

CopyingTest copying_test(std::span<double const> generated, std::span<double const> held_out) {
    CopyingTest test;
    test.auc = auc(generated, held_out);
    auto const m = static_cast<double>(generated.size()), h = static_cast<double>(held_out.size());
    double const all = m + h;
    double const variance = m * h / 12 * (all + 1 - tie_term(generated, held_out) / (all * (all - 1)));
    test.z = variance > 0 ? (test.auc - 0.5) * m * h / std::sqrt(variance) : 0;
    return test;
}

} // namespace assay::valuation
