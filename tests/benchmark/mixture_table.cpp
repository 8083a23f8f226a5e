// Errors of the estimators, means of the bounds and coverage of the interval on normal mixtures whose
// fraction is known, as Markdown tables; where an independent simulation gave a figure, it stands beside
// ours. docs/experiments/usage_estimators.md holds the result. mixture_table errors|bounds|coverage [TRIALS]
#include "assay/base/random.hpp"
#include "assay/base/stats.hpp"
#include "assay/usage/audit.hpp"
#include "usage/mixture.hpp"

#include <boost/math/distributions/normal.hpp>
#include <fmt/ranges.h>

#include <cmath>
#include <cstdlib>
#include <map>

using namespace assay;
using namespace assay::usage;

namespace {

using Values = std::vector<double>;

constexpr double kCorrelation = 0.3; // of the two blocks within a class

// Distance of two unit normals with an AUC
double gap_of(double auc) {
    return std::sqrt(2.0) * boost::math::quantile(boost::math::normal(), auc);
}

double normal_cdf(double z) {
    return boost::math::cdf(boost::math::normal(), z);
}

// n items of which round(p n) are members, or each with probability p: two blocks, and their average scaled
// to unit variance within a class, so that the gap is the score's
Scores draw(Random& random, std::size_t n, double p, double gap, bool fixed_number = true) {
    auto const members = static_cast<std::size_t>(std::lround(p * static_cast<double>(n)));
    double const unit = std::sqrt((1 + kCorrelation) / 2); // of the average of two unit blocks
    Scores scores;
    for (std::size_t i = 0; i < n; ++i) {
        bool const member = fixed_number ? i < members : random.uniform() < p;
        double const common = std::sqrt(kCorrelation) * random.normal() + (member ? gap * unit : 0);
        scores.block_a.push_back(common + std::sqrt(1 - kCorrelation) * random.normal());
        scores.block_b.push_back(common + std::sqrt(1 - kCorrelation) * random.normal());
        scores.z.push_back((scores.block_a.back() + scores.block_b.back()) / (2 * unit));
    }
    return scores;
}

std::uint64_t trial_id(double auc, std::size_t n, double p, int trial) {
    return mix64(static_cast<std::uint64_t>(std::lround(1000 * auc)) ^ (n << 16)) +
           static_cast<std::uint64_t>(std::lround(1000 * p)) * 100000 + static_cast<std::uint64_t>(trial);
}

// With what only a simulation knows: the rates at the best threshold, and the densities themselves
double exact_rates(Scores const& suspects, double gap) {
    double above = 0;
    for (double z : suspects.z)
        above += (z > gap / 2) / static_cast<double>(suspects.z.size());
    return adjusted_count(above, normal_cdf(gap / 2), normal_cdf(-gap / 2));
}

double exact_likelihood(Scores const& suspects, double gap) {
    Values posteriors;
    for (double z : suspects.z)
        posteriors.push_back(1 / (1 + std::exp(-gap * (z - gap / 2))));
    return emq(posteriors, 0.5);
}

double median_of(double a, double b, double c) {
    return std::max(std::min(a, b), std::min(std::max(a, b), c));
}

// Mean absolute error over seven fractions by column; an estimator that gives none says 0
std::map<std::string, double> mean_errors(double auc, std::size_t n, int trials) {
    std::map<std::string, double> errors;
    std::vector<double> const fractions{0, 0.1, 0.25, 0.5, 0.75, 0.9, 1};
    double const share = 1 / (static_cast<double>(trials) * static_cast<double>(fractions.size()));
    double const gap = gap_of(auc);
    for (double p : fractions)
        for (int trial = 0; trial < trials; ++trial) {
            Random random(1, "mixture table", trial_id(auc, n, p, trial));
            ScorePair const scores{draw(random, n, p, gap), draw(random, n, 0, 0)};
            Estimates const estimates = estimate(scores);
            for (std::size_t e = 0; e < estimates.size(); ++e)
                errors[std::string(kEstimators[e].name)] += share * std::abs(estimates[e].value_or(0) - p);
            errors["exact_rates"] += share * std::abs(exact_rates(scores.suspects, gap) - p);
            errors["exact_likelihood"] += share * std::abs(exact_likelihood(scores.suspects, gap) - p);
            double const median = median_of(estimates[estimator("best_bin")].value_or(0),
                                            estimates[estimator("covariance_moment")].value_or(0),
                                            estimates[estimator("em_shared_width")].value_or(0));
            errors["median"] += share * std::abs(median - p);
        }
    return errors;
}

struct ErrorRow {
    double auc;
    std::size_t n;
    std::map<std::string, double> expected;
};

ErrorRow row(double auc, std::size_t n, std::vector<double> const& of_six) {
    std::vector<std::string> const names{"best_bin",        "density_ratio",     "patra_sen",
                                         "em_shared_width", "covariance_moment", "exact_rates",
                                         "exact_likelihood"};
    ErrorRow result{auc, n, {}};
    for (std::size_t k = 0; k < names.size(); ++k)
        result.expected[names[k]] = of_six[k];
    return result;
}

void print_errors(int trials) {
    std::vector<ErrorRow> const rows{
        row(0.6, 2000, {0.32, 0.30, 0.34, 0.22, 0.19, 0.054, 0.043}),
        row(0.7, 500, {0.21, 0.20, 0.24, 0.18, 0.15, 0.051, 0.040}),
        row(0.7, 2000, {0.18, 0.17, 0.21, 0.12, 0.08, 0.026, 0.019}),
        row(0.8, 500, {0.12, 0.11, 0.15, 0.12, 0.09, 0.033, 0.024}),
        row(0.8, 2000, {0.09, 0.09, 0.12, 0.07, 0.056, 0.015, 0.011}),
        row(0.9, 500, {0.058, 0.066, 0.091, 0.067, 0.057, 0.018, 0.012}),
        row(0.9, 2000, {0.039, 0.041, 0.066, 0.060, 0.037, 0.009, 0.006}),
        row(0.97, 500, {0.028, 0.063, 0.057, 0.058, 0.040, 0.011, 0.007}),
        row(0.97, 2000, {0.016, 0.031, 0.036, 0.037, 0.019, 0.005, 0.002}),
        {0.7,
         1000,
         {{"best_bin", 0.196}, {"covariance_moment", 0.140}, {"em_shared_width", 0.140}, {"median", 0.094}}},
        {0.8,
         1000,
         {{"best_bin", 0.104}, {"covariance_moment", 0.069}, {"em_shared_width", 0.091}, {"median", 0.050}}},
        {0.9,
         1000,
         {{"best_bin", 0.048}, {"covariance_moment", 0.044}, {"em_shared_width", 0.068}, {"median", 0.031}}},
        {0.97,
         1000,
         {{"best_bin", 0.022}, {"covariance_moment", 0.041}, {"em_shared_width", 0.062}, {"median", 0.024}}},
    };
    std::vector<std::string> columns;
    for (Estimator const& e : kEstimators)
        columns.emplace_back(e.name);
    for (char const* extra : {"median", "exact_rates", "exact_likelihood"})
        columns.emplace_back(extra);
    fmt::print("| AUC | n | {} |\n|---|---|", fmt::join(columns, " | "));
    for (std::size_t k = 0; k < columns.size(); ++k)
        fmt::print("---|");
    fmt::print("\n");
    for (ErrorRow const& row : rows) {
        fmt::print("| {} | {} |", row.auc, row.n);
        std::map<std::string, double> const errors = mean_errors(row.auc, row.n, trials);
        for (std::string const& name : columns) {
            auto const expected = row.expected.find(name);
            if (expected == row.expected.end())
                fmt::print(" {:.3f} |", errors.at(name));
            else
                fmt::print(" {:.3f} : {:g} = {:.2f} |", errors.at(name), expected->second,
                           errors.at(name) / expected->second);
        }
        fmt::print("\n");
        std::fflush(stdout);
    }
}

struct BoundRow {
    double auc;
    std::size_t n;
    std::array<std::pair<double, double>, 5> expected; // DKW, Clopper-Pearson
};

void print_bounds(int trials) {
    std::array<double, 5> const fractions{0.25, 0.5, 0.75, 0.9, 1};
    std::vector<BoundRow> const rows{
        {0.8, 500, {{{0.03, 0.02}, {0.21, 0.18}, {0.41, 0.41}, {0.54, 0.58}, {0.62, 0.71}}}},
        {0.8, 2000, {{{0.10, 0.09}, {0.30, 0.29}, {0.51, 0.54}, {0.65, 0.71}, {0.74, 0.84}}}},
        {0.9, 1000, {{{0.12, 0.11}, {0.35, 0.33}, {0.59, 0.60}, {0.74, 0.78}, {0.84, 0.92}}}},
        {0.97, 1000, {{{0.16, 0.15}, {0.41, 0.39}, {0.66, 0.66}, {0.81, 0.84}, {0.91, 0.97}}}}};
    fmt::print("| AUC | n | p | DKW ours : table | above p | Clopper-Pearson ours : table | above p |\n"
               "|---|---|---|---|---|---|---|\n");
    for (BoundRow const& row : rows)
        for (std::size_t k = 0; k < fractions.size(); ++k) {
            double const p = fractions[k];
            double dkw = 0, grid = 0;
            int dkw_above = 0, grid_above = 0;
            for (int trial = 0; trial < trials; ++trial) {
                Random random(2, "mixture table", trial_id(row.auc, row.n, p, trial));
                Values const u = sorted(draw(random, row.n, p, gap_of(row.auc), false).z);
                Values const n = sorted(draw(random, row.n, 0, 0).z);
                double const a = dkw_lower_bound(u, n, 0.05), b = grid_lower_bound(u, n, 0.05);
                dkw += a / trials;
                grid += b / trials;
                dkw_above += a > p;
                grid_above += b > p;
            }
            fmt::print("| {} | {} | {} | {:.3f} : {} | {} of {} | {:.3f} : {} | {} of {} |\n", row.auc, row.n,
                       p, dkw, row.expected[k].first, dkw_above, trials, grid, row.expected[k].second,
                       grid_above, trials);
        }
}

AuditInput as_input(Scores const& suspects, Scores const& reference) {
    AuditInput input;
    input.suspects = {{"loss", "input_gradient"}, {suspects.block_a, suspects.block_b}}; // one of each block
    input.reference = {{"loss", "input_gradient"}, {reference.block_a, reference.block_b}};
    input.suspect_ids = test::ids(suspects.z.size());
    input.reference_ids = test::ids(reference.z.size());
    return input;
}

void print_coverage(int trials) {
    fmt::print("| AUC | n | p | runs | estimated | bias of those | covered | width | all intervals covered | "
               "width | bound above p |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
    std::size_t const n = 1000;
    for (double auc : {0.8, 0.9, 0.97})
        for (double p : {0.1, 0.25, 0.5, 0.75, 0.9, 1.0}) {
            int estimated = 0, covered = 0, all_covered = 0, above = 0;
            double width = 0, all_width = 0, bias = 0;
            for (int trial = 0; trial < trials; ++trial) {
                Random random(3, "mixture table", trial_id(auc, n, p, trial));
                Scores const suspects = draw(random, n, p, gap_of(auc), false),
                             reference = draw(random, n, 0, 0);
                Audit const audit = audit_usage(as_input(suspects, reference), {0.95, 200, 1, false});
                auto const [low, high] = audit.forced_interval;
                bool const holds = low <= p && p <= high;
                all_covered += holds;
                all_width += (high - low) / trials;
                above += audit.lower_bound > p;
                if (audit.status == Status::estimated) {
                    ++estimated;
                    covered += holds;
                    width += high - low;
                    bias += *audit.fraction - p;
                }
            }
            fmt::print("| {} | {} | {} | {} | {} | {:+.3f} | {}/{} | {:.2f} | {}/{} | {:.2f} | {} |\n", auc,
                       n, p, trials, estimated, bias / std::max(estimated, 1), covered, estimated,
                       width / std::max(estimated, 1), all_covered, trials, all_width, above);
            std::fflush(stdout);
        }
}

} // namespace

int main(int argc, char** argv) {
    std::string const what = argc > 1 ? argv[1] : "";
    int const trials = argc > 2 ? std::atoi(argv[2]) : 200;
    if (trials < 1 || (what != "errors" && what != "bounds" && what != "coverage")) {
        fmt::print(stderr, "mixture_table errors|bounds|coverage [TRIALS]\n");
        return 64;
    }
    if (what == "errors")
        print_errors(trials);
    else if (what == "bounds")
        print_bounds(trials);
    else
        print_coverage(trials);
    return 0;
}
