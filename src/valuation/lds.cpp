#include "assay/valuation/lds.hpp"

#include "assay/base/random.hpp"
#include "assay/base/stats.hpp"
#include "assay/store/array.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

namespace assay::valuation {

namespace {

constexpr char const* kMasks = "/masks";
constexpr char const* kOutputs = "/outputs";

store::Handle open(store::Handle const& file, std::filesystem::path const& path, char const* name,
                   std::string const& type, std::uint64_t width) {
    store::Handle array = store::open_array(file, path, name);
    store::require_written(array, path, name);
    store::Shape const shape = store::shape_of(array);
    if (store::type_name(array) != type || shape.size() != 2 || shape[1] != width || shape[0] < 3)
        fail(Exit::data, "{}: {} is {} [{}] (must be {} [M, {}], M subsets, at least 3). Write it so",
             path.string(), name, store::type_name(array), fmt::join(shape, ", "), type, width);
    return array;
}

// Masks and outputs of other samples would fit by their number alone
void check_ids(store::Handle const& file, std::filesystem::path const& path, char const* name,
               std::span<std::uint64_t const> ids) {
    if (!store::exists(file, name))
        return;
    store::Handle const array = store::open_array(file, path, name);
    store::require_written(array, path, name);
    std::vector<std::uint64_t> const found = store::read_all<std::uint64_t>(array);
    if (found.size() != ids.size())
        fail(Exit::data, "{}: {} holds {} ids (this job has {} samples there). Name the file made for them",
             path.string(), name, found.size(), ids.size());
    for (std::size_t row = 0; row < ids.size(); ++row)
        if (found[row] != ids[row])
            fail(Exit::data,
                 "{}: {}[{}] is {} (the job's sample there has id {}). Name the file made for these samples",
                 path.string(), name, row, found[row], ids[row]);
}

std::vector<std::size_t> ascending_order(std::span<double const> x) {
    std::vector<std::size_t> order(x.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return x[a] < x[b]; });
    return order;
}

// Mid-ranks of x, element s counting counts[s] times
void mid_ranks(std::span<double const> x, std::span<std::size_t const> order,
               std::span<std::uint32_t const> counts, std::vector<double>& ranks) {
    ranks.resize(x.size());
    double before = 0;
    for (std::size_t first = 0; first < order.size();) {
        std::size_t last = first;
        double equal = 0;
        for (; last < order.size() && x[order[last]] == x[order[first]]; ++last)
            equal += counts[order[last]];
        for (; first < last; ++first)
            ranks[order[first]] = before + (equal + 1) / 2;
        before += equal;
    }
}

// Both sides with the orders of their values, which all replicates share
struct Pair {
    std::span<double const> x, y;
    std::vector<std::size_t> x_order = ascending_order(x), y_order = ascending_order(y);
    std::vector<double> x_ranks{}, y_ranks{};

    double correlation(std::span<std::uint32_t const> counts) {
        mid_ranks(x, x_order, counts, x_ranks);
        mid_ranks(y, y_order, counts, y_ranks);
        double n = 0, xx = 0, yy = 0, xy = 0;
        for (std::uint32_t count : counts)
            n += count;
        double const middle = (n + 1) / 2;
        for (std::size_t s = 0; s < counts.size(); ++s) {
            double const a = x_ranks[s] - middle, b = y_ranks[s] - middle;
            xx += counts[s] * a * a;
            yy += counts[s] * b * b;
            xy += counts[s] * a * b;
        }
        return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : std::numeric_limits<double>::quiet_NaN();
    }
};

} // namespace

double spearman(std::span<double const> x, std::span<double const> y, std::span<std::uint32_t const> counts) {
    return Pair{x, y}.correlation(counts);
}

SubsetModels::SubsetModels(std::filesystem::path const& path, std::span<std::uint64_t const> ids,
                           std::span<std::uint64_t const> generated_ids)
    : path_(path) {
    std::uint64_t const rows = ids.size();
    queries_ = generated_ids.size();
    store::in_file(path, Exit::data, "The file is damaged: make it again", [&] {
        store::Handle const file = store::open_to_read(path);
        store::Handle const masks = open(file, path, kMasks, "uint8", rows);
        store::Handle const outputs = open(file, path, kOutputs, "float64", queries_);
        subsets_ = store::shape_of(masks)[0];
        if (store::shape_of(outputs)[0] != subsets_)
            fail(Exit::data, "{}: {} has {} rows and {} has {} (one per subset each). Write both so",
                 path.string(), kMasks, subsets_, kOutputs, store::shape_of(outputs)[0]);
        check_ids(file, path, "/ids", ids);
        check_ids(file, path, "/generated_ids", generated_ids);
        words_ = (subsets_ + 63) / 64;
        bits_.resize(rows * words_);
        std::vector<std::uint8_t> mask(rows);
        for (std::uint64_t s = 0; s < subsets_; ++s) {
            store::read_rows(masks, s, 1, store::native_type<std::uint8_t>(), mask.data());
            if (auto const bad = std::ranges::find_if(mask, [](std::uint8_t flag) { return flag > 1; });
                bad != mask.end())
                fail(Exit::data, "{}: {}[{}, {}] is {} (must be 0 or 1). Correct it", path.string(), kMasks,
                     s, bad - mask.begin(), *bad);
            set_masks(s, mask);
        }
    });
}

SubsetModels::SubsetModels(std::uint64_t subsets, std::vector<std::uint8_t> const& masks,
                           std::vector<double> outputs)
    : subsets_(subsets),
      queries_(outputs.size() / subsets),
      words_((subsets + 63) / 64),
      outputs_(std::move(outputs)) {
    std::uint64_t const rows = masks.size() / subsets;
    bits_.resize(rows * words_);
    for (std::uint64_t s = 0; s < subsets; ++s)
        set_masks(s, std::span(masks).subspan(s * rows, rows));
}

void SubsetModels::set_masks(std::uint64_t subset, std::span<std::uint8_t const> mask) {
    for (std::size_t row = 0; row < mask.size(); ++row)
        bits_[row * words_ + subset / 64] |= std::uint64_t{mask[row]} << (subset % 64);
}

void SubsetModels::add(std::uint64_t row, double weight, std::span<double> sums) const {
    for (std::uint64_t word = 0; word < words_; ++word)
        for (std::uint64_t bits = bits_[row * words_ + word]; bits != 0; bits &= bits - 1)
            sums[64 * word + static_cast<std::uint64_t>(std::countr_zero(bits))] += weight;
}

void SubsetModels::check_outputs() const {
    std::uint64_t const piece = (1 << 18) / subsets_ + 1;
    for (std::uint64_t begin = 0; begin < queries_; begin += piece)
        outputs(begin, std::min(piece, queries_ - begin));
}

std::vector<double> SubsetModels::outputs(std::uint64_t begin, std::uint64_t count) const {
    std::vector<double> by_subset(subsets_ * count);
    if (path_.empty()) {
        for (std::uint64_t s = 0; s < subsets_; ++s)
            std::copy_n(outputs_.begin() + static_cast<std::ptrdiff_t>(s * queries_ + begin), count,
                        by_subset.begin() + static_cast<std::ptrdiff_t>(s * count));
    } else {
        store::in_file(path_, Exit::data, "The file is damaged: make it again", [&] {
            store::Handle const file = store::open_to_read(path_);
            store::read_block(store::open_array(file, path_, kOutputs), {0, subsets_}, {begin, count},
                              store::native_type<double>(), by_subset.data());
        });
    }
    std::vector<double> by_query(by_subset.size());
    for (std::uint64_t s = 0; s < subsets_; ++s)
        for (std::uint64_t j = 0; j < count; ++j) {
            double const value = by_subset[s * count + j];
            if (!std::isfinite(value))
                fail(Exit::data, "{}: {}[{}, {}] is {} (must be finite). Correct it", path_.string(),
                     kOutputs, s, begin + j, value);
            by_query[j * subsets_ + s] = value;
        }
    return by_query;
}

LdsSum::LdsSum(std::uint64_t subsets, std::uint64_t replicates, std::uint64_t seed)
    : subsets_(subsets), replicate_sums_(replicates) {
    for (std::uint64_t b = 0; b < replicates; ++b) {
        Random random(seed, "valuation lds", b);
        std::vector<std::uint32_t>& counts = counts_.emplace_back(subsets);
        for (std::uint64_t draw = 0; draw < subsets; ++draw)
            ++counts[random.below(subsets)];
    }
}

void LdsSum::add(std::span<double const> predicted, std::span<double const> put_out) {
    Pair pair{predicted, put_out};
    auto const or_zero = [](double value) { return std::isnan(value) ? 0 : value; };
    double const score = pair.correlation(std::vector<std::uint32_t>(subsets_, 1));
    ++queries_;
    constant_ += std::isnan(score);
    sum_ += or_zero(score);
    squares_ += or_zero(score) * or_zero(score);
    for (std::size_t b = 0; b < counts_.size(); ++b)
        replicate_sums_[b] += or_zero(pair.correlation(counts_[b]));
}

Lds LdsSum::result(double confidence) const {
    auto const m = static_cast<double>(queries_);
    Lds lds;
    lds.mean = sum_ / m;
    lds.sd = std::sqrt(std::max(0.0, (squares_ - sum_ * sum_ / m) / (m - 1)));
    lds.chance_sd = 1 / std::sqrt(static_cast<double>(subsets_) - 1);
    lds.subsets = subsets_;
    lds.queries = queries_;
    lds.constant = constant_;
    std::vector<double> means = replicate_sums_;
    for (double& mean : means)
        mean /= m;
    lds.interval = percentile_interval(std::move(means), confidence);
    return lds;
}

} // namespace assay::valuation
