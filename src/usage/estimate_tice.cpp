#include "assay/usage/estimators.hpp"

#include "assay/base/random.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>

namespace assay::usage {

namespace {

// As published
constexpr std::size_t kFolds = 5;
constexpr int kPasses = 3;
constexpr int kSplits = 500;
constexpr int kCuts = 4;
constexpr double kMinimumRows = 10;
constexpr double kSmoothing = 5; // added to a node's rows, so that tiny nodes are not split first

// Rows of some score range, and how many of them are labelled, that is, from the reference
struct Count {
    double rows = 0;
    double labelled = 0;
};

// Some of the rows of both sides, each ascending
struct Part {
    std::vector<double> suspects;
    std::vector<double> reference;

    // In [from, to)
    Count count(double from, double to) const {
        auto const in = [&](std::vector<double> const& x) {
            return static_cast<double>(std::lower_bound(x.begin(), x.end(), to) -
                                       std::lower_bound(x.begin(), x.end(), from));
        };
        double const labelled = in(reference);
        return {in(suspects) + labelled, labelled};
    }
};

// One fold and all others. Folds are drawn along the sorted scores, so that the order of items has no say
struct Split {
    Part tree;
    Part counted;
};

std::array<Split, kFolds> draw_folds(ScoreView const& scores) {
    std::array<Split, kFolds> splits;
    auto const deal = [&](std::span<double const> side, std::uint64_t id, std::vector<double> Part::*rows) {
        Random random(0, "tice fold", id);
        for (double z : side) {
            std::size_t const fold = random.below(kFolds);
            for (std::size_t f = 0; f < kFolds; ++f)
                ((f == fold ? splits[f].tree : splits[f].counted).*rows).push_back(z);
        }
    };
    deal(scores.suspects, 0, &Part::suspects);
    deal(scores.reference, 1, &Part::reference);
    return splits;
}

// A score range [from, to) and how promising it is to split it: the labelled share of its tree rows
struct Node {
    double promise = 0;
    double from = 0;
    double to = 0;
    bool operator<(Node const& other) const {
        return promise != other.promise ? promise < other.promise : from > other.from;
    }
};

// Counts of the other folds in the nodes of a tree grown best-first on one fold
std::vector<Count> node_counts(Split const& split, double lowest, double beyond) {
    std::vector<Count> counts{split.counted.count(lowest, beyond)};
    std::priority_queue<Node> open;
    open.push({0, lowest, beyond});
    for (int splits = 0; splits < kSplits && !open.empty(); ++splits) {
        Node const parent = open.top();
        open.pop();
        double from = parent.from;
        for (int cut = 1; cut <= kCuts; ++cut) {
            double const to =
                cut == kCuts ? parent.to : parent.from + (parent.to - parent.from) * cut / kCuts;
            counts.push_back(split.counted.count(from, to));
            Count const tree = split.tree.count(from, to);
            bool const narrower = from > parent.from || to < parent.to; // until doubles end
            if (tree.rows > kMinimumRows && tree.labelled > 0 && narrower)
                open.push({tree.labelled / (tree.rows + kSmoothing), from, to});
            from = to;
        }
    }
    return counts;
}

// The largest of the nodes' lower bounds on c, whose variance is judged by the guess c0
double largest_bound(std::vector<Count> const& nodes, double c0) {
    double const delta = std::max(0.025, 1 / (1 + 0.004 * nodes.front().rows));
    double best = 0;
    for (Count const& node : nodes)
        if (node.rows >= kMinimumRows)
            best = std::max(best, node.labelled / node.rows -
                                      std::sqrt(c0 * (1 - c0) * (1 - delta) / (delta * node.rows)));
    return best;
}

} // namespace

double fraction_of_label_frequency(double c, std::size_t n_suspects, std::size_t n_reference) {
    double const g = static_cast<double>(n_reference) / static_cast<double>(n_suspects + n_reference);
    c = std::clamp(c, g, 1.0);
    return std::clamp(1 - g * (1 - c) / ((1 - g) * c), 0.0, 1.0);
}

std::optional<double> tice(ScoreView const& scores) {
    double const lowest = std::min(scores.suspects.front(), scores.reference.front());
    double const highest = std::max(scores.suspects.back(), scores.reference.back());
    if (lowest == highest)
        return std::nullopt;
    double const beyond = std::nextafter(highest, std::numeric_limits<double>::infinity());
    std::array<std::vector<Count>, kFolds> nodes;
    std::array<Split, kFolds> const splits = draw_folds(scores);
    for (std::size_t f = 0; f < kFolds; ++f)
        nodes[f] = node_counts(splits[f], lowest, beyond);
    double const n_u = static_cast<double>(scores.suspects.size());
    double const n_n = static_cast<double>(scores.reference.size());
    double c = 0.5;
    for (int pass = 0; pass < kPasses; ++pass) {
        double sum = 0;
        for (std::vector<Count> const& fold : nodes)
            // No non-member is less likely to be in the reference than a row of any kind
            sum += std::max(n_n / (n_u + n_n), largest_bound(fold, c));
        c = sum / kFolds;
    }
    return fraction_of_label_frequency(c, scores.suspects.size(), scores.reference.size());
}

} // namespace assay::usage
