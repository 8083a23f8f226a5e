#include "assay/usage/logistic.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"
#include "assay/base/stats.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::usage {

namespace {

constexpr std::size_t kInnerFolds = 3;
constexpr std::size_t kMinimumRows = 50; // below, an inner fold may hold no row of one side
constexpr double kClip = 5;
constexpr std::array<double, 4> kStrengths{1, 0.1, 0.01, 0.001}; // strong first: a tie goes to the stronger

// A labelled row: its standardised signals stand at [k0, k0 + K) of one big array
struct Design {
    std::size_t n_signals = 0;
    std::vector<double> x;
    std::vector<double> y;

    std::span<double const> row(std::size_t i) const {
        return std::span(x).subspan(i * n_signals, n_signals);
    }
};

double logit_of(LogisticFit const& fit, std::span<double const> row) {
    double logit = fit.intercept;
    for (std::size_t k = 0; k < row.size(); ++k)
        logit += fit.weights[k] * row[k];
    return logit;
}

// log(1 + exp(logit)) - y logit without overflow
double log_loss(double logit, double y) {
    return std::max(logit, 0.0) + std::log1p(std::exp(-std::abs(logit))) - y * logit;
}

double mean_log_loss(LogisticFit const& fit, std::span<double const> x, std::span<double const> y) {
    std::size_t const n_signals = fit.weights.size();
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i)
        sum += log_loss(logit_of(fit, x.subspan(i * n_signals, n_signals)), y[i]);
    return sum / static_cast<double>(y.size());
}

double objective(LogisticFit const& fit, std::span<double const> x, std::span<double const> y,
                 double strength) {
    double squares = 0;
    for (double w : fit.weights)
        squares += w * w;
    return mean_log_loss(fit, x, y) + strength / 2 * squares;
}

// Gradient and Hessian of the objective; index 0 is the intercept
struct Derivatives {
    std::vector<double> gradient; // [K+1]
    std::vector<double> hessian;  // [K+1, K+1]
};

Derivatives derivatives(LogisticFit const& fit, std::span<double const> x, std::span<double const> y,
                        double strength) {
    std::size_t const n_signals = fit.weights.size();
    std::size_t const size = n_signals + 1;
    Derivatives d{std::vector<double>(size), std::vector<double>(size * size)};
    std::vector<double> extended(size, 1.0);
    double const share = 1 / static_cast<double>(y.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
        std::span<double const> const row = x.subspan(i * n_signals, n_signals);
        std::copy(row.begin(), row.end(), extended.begin() + 1);
        double const p = 1 / (1 + std::exp(-logit_of(fit, row)));
        for (std::size_t a = 0; a < size; ++a) {
            d.gradient[a] += share * (p - y[i]) * extended[a];
            for (std::size_t b = 0; b <= a; ++b)
                d.hessian[a * size + b] += share * p * (1 - p) * extended[a] * extended[b];
        }
    }
    for (std::size_t a = 0; a < size; ++a) {
        for (std::size_t b = 0; b < a; ++b)
            d.hessian[b * size + a] = d.hessian[a * size + b];
        if (a > 0) {
            d.gradient[a] += strength * fit.weights[a - 1];
            d.hessian[a * size + a] += strength;
        }
    }
    d.hessian[0] += 1e-12; // separated data flatten the intercept's curvature to zero
    return d;
}

// Step that minimises the quadratic model subject to weights + step >= 0
std::vector<double> newton_step(LogisticFit const& fit, Derivatives const& d) {
    std::size_t const size = d.gradient.size();
    std::vector<double> step(size, 0.0);
    for (int sweep = 0; sweep < 1000; ++sweep) {
        double largest = 0;
        for (std::size_t a = 0; a < size; ++a) {
            double slope = d.gradient[a];
            for (std::size_t b = 0; b < size; ++b)
                slope += d.hessian[a * size + b] * step[b];
            double moved = step[a] - slope / d.hessian[a * size + a];
            if (a > 0)
                moved = std::max(moved, -fit.weights[a - 1]);
            largest = std::max(largest, std::abs(moved - step[a]));
            step[a] = moved;
        }
        if (largest < 1e-10)
            break;
    }
    return step;
}

LogisticFit moved(LogisticFit const& fit, std::span<double const> step, double length) {
    LogisticFit next = fit;
    next.intercept += length * step[0];
    for (std::size_t k = 0; k < fit.weights.size(); ++k)
        next.weights[k] = std::max(0.0, fit.weights[k] + length * step[k + 1]);
    return next;
}

// Rows of the design that pass the test, copied
template <class Keep>
Design subset(Design const& design, Keep keep) {
    Design part{design.n_signals, {}, {}};
    for (std::size_t i = 0; i < design.y.size(); ++i)
        if (keep(i)) {
            part.x.insert(part.x.end(), design.row(i).begin(), design.row(i).end());
            part.y.push_back(design.y[i]);
        }
    return part;
}

double choose_strength(Design const& design, std::vector<std::size_t> const& inner_fold) {
    double best_loss = std::numeric_limits<double>::infinity();
    double best = kStrengths.front();
    for (double strength : kStrengths) {
        double loss = 0;
        for (std::size_t fold = 0; fold < kInnerFolds; ++fold) {
            Design const train = subset(design, [&](std::size_t i) { return inner_fold[i] != fold; });
            Design const test = subset(design, [&](std::size_t i) { return inner_fold[i] == fold; });
            LogisticFit const fit = fit_logistic(train.x, train.n_signals, train.y, strength);
            loss +=
                test.y.empty() ? 0 : mean_log_loss(fit, test.x, test.y) * static_cast<double>(test.y.size());
        }
        if (loss < best_loss) {
            best_loss = loss;
            best = strength;
        }
    }
    return best;
}

// Suspects on top of reference, in the units of the training reference rows
Design standardise(SignalTable const& suspects, SignalTable const& reference,
                   std::vector<std::size_t> const& reference_fold, std::size_t held_out_fold) {
    std::size_t const n_signals = suspects.columns.size();
    std::size_t const n_suspects = suspects.rows();
    std::size_t const n = n_suspects + reference.rows();
    Design design{n_signals, std::vector<double>(n * n_signals), std::vector<double>(n, 0.0)};
    std::fill_n(design.y.begin(), n_suspects, 1.0);
    for (std::size_t k = 0; k < n_signals; ++k) {
        std::vector<double> training;
        for (std::size_t i = 0; i < reference.rows(); ++i)
            if (reference_fold[i] != held_out_fold)
                training.push_back(reference.columns[k][i]);
        double const centre = mean(training);
        double const width = sd(training);
        for (std::size_t i = 0; i < n && width > 0; ++i) {
            double const value =
                i < n_suspects ? suspects.columns[k][i] : reference.columns[k][i - n_suspects];
            design.x[i * n_signals + k] = std::clamp((value - centre) / width, -kClip, kClip);
        }
    }
    return design;
}

std::vector<std::size_t> folds_of(std::span<std::uint64_t const> ids, std::uint64_t seed,
                                  std::string_view purpose, std::size_t count) {
    std::vector<std::size_t> folds;
    for (std::uint64_t id : ids)
        folds.push_back(Random(seed, purpose, id).below(count));
    return folds;
}

} // namespace

LogisticFit fit_logistic(std::span<double const> x, std::size_t n_signals, std::span<double const> y,
                         double strength) {
    LogisticFit fit{0, std::vector<double>(n_signals, 0.0)};
    double value = objective(fit, x, y, strength);
    for (int iteration = 0; iteration < 50; ++iteration) {
        Derivatives const d = derivatives(fit, x, y, strength);
        std::vector<double> const step = newton_step(fit, d);
        double slope = 0;
        for (std::size_t a = 0; a < step.size(); ++a)
            slope += d.gradient[a] * step[a];
        if (slope > -1e-14)
            break;
        double length = 1;
        LogisticFit next = moved(fit, step, length);
        double next_value = objective(next, x, y, strength);
        while (next_value > value + 1e-4 * length * slope && length > 1e-8) {
            length /= 2;
            next = moved(fit, step, length);
            next_value = objective(next, x, y, strength);
        }
        if (next_value >= value)
            break;
        fit = next;
        value = next_value;
    }
    return fit;
}

CrossFit cross_fit(SignalTable const& suspects, std::span<std::uint64_t const> suspect_ids,
                   SignalTable const& reference, std::span<std::uint64_t const> reference_ids,
                   std::uint64_t seed) {
    std::size_t const n_suspects = suspects.rows();
    if (std::min(n_suspects, reference.rows()) < kMinimumRows)
        fail(Exit::data,
             "{} suspects and {} reference rows (the logistic scorer needs {} of each to cross-fit). "
             "Give more samples or use the z-sum score",
             n_suspects, reference.rows(), kMinimumRows);
    std::vector<std::uint64_t> ids(suspect_ids.begin(), suspect_ids.end());
    ids.insert(ids.end(), reference_ids.begin(), reference_ids.end());
    std::vector<std::size_t> const fold = folds_of(ids, seed, "logistic fold", kFolds);
    std::vector<std::size_t> const inner = folds_of(ids, seed, "logistic inner fold", kInnerFolds);
    std::vector<std::size_t> const reference_fold(fold.begin() + static_cast<std::ptrdiff_t>(n_suspects),
                                                  fold.end());

    CrossFit result{std::vector<double>(n_suspects), std::vector<double>(reference.rows()), {}};
    for (std::size_t f = 0; f < kFolds; ++f) {
        Design const all = standardise(suspects, reference, reference_fold, f);
        Design const train = subset(all, [&](std::size_t i) { return fold[i] != f; });
        std::vector<std::size_t> train_inner;
        for (std::size_t i = 0; i < fold.size(); ++i)
            if (fold[i] != f)
                train_inner.push_back(inner[i]);
        double const strength = choose_strength(train, train_inner);
        LogisticFit const fit = fit_logistic(train.x, train.n_signals, train.y, strength);
        result.weights[f] = fit.weights;

        std::vector<double> training_reference;
        for (std::size_t i = 0; i < train.y.size(); ++i)
            if (train.y[i] == 0)
                training_reference.push_back(logit_of(fit, train.row(i)));
        double const centre = mean(training_reference);
        double const width = sd(training_reference);
        for (std::size_t i = 0; i < fold.size(); ++i)
            if (fold[i] == f) {
                double& score = i < n_suspects ? result.suspects[i] : result.reference[i - n_suspects];
                score = width > 0 ? (logit_of(fit, all.row(i)) - centre) / width : 0;
            }
    }
    return result;
}

} // namespace assay::usage
