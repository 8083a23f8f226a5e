#include "assay/usage/bounds.hpp"

#include <boost/math/special_functions/beta.hpp>

#include <algorithm>
#include <cmath>

namespace assay::usage {

namespace {

// Dense where members are rare (small q_N), since the ratio F_U/F_N is smallest there
constexpr std::array<double, 16> kGrid{0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2,
                                       0.25, 0.3,  0.4,  0.5,  0.6,   0.7, 0.8,  0.9};

// The reference share below which members are assumed rare
constexpr double kLowScores = 0.1;
// How often members score there, against others: at most. With none allowed, intervals missed p = 1 at a
// member AUC of 0.8 in 64 of 64 simulated audits (docs/experiments/usage_estimators.md)

std::size_t count_up_to(std::span<double const> ascending, double c) {
    return static_cast<std::size_t>(std::upper_bound(ascending.begin(), ascending.end(), c) -
                                    ascending.begin());
}

// The rank nearest to a level, from 1 to n
std::size_t rank_at(double level, std::size_t n) {
    auto const rank = static_cast<std::size_t>(std::lround(level * static_cast<double>(n)));
    return std::clamp<std::size_t>(rank, 1, n);
}

double log_choose(std::size_t n, std::size_t k) {
    return std::lgamma(static_cast<double>(n) + 1) - std::lgamma(static_cast<double>(k) + 1) -
           std::lgamma(static_cast<double>(n - k) + 1);
}

} // namespace

std::vector<Shares> shares_at_reference(std::span<double const> suspects, std::span<double const> reference) {
    std::vector<Shares> shares;
    shares.reserve(reference.size());
    std::size_t below = 0;
    for (std::size_t j = 0; j < reference.size(); ++j) {
        if (j + 1 < reference.size() && reference[j + 1] == reference[j])
            continue;
        while (below < suspects.size() && suspects[below] <= reference[j])
            ++below;
        shares.push_back({static_cast<double>(below) / static_cast<double>(suspects.size()),
                          static_cast<double>(j + 1) / static_cast<double>(reference.size())});
    }
    return shares;
}

double dkw_half_width(std::size_t n, double delta) {
    return std::sqrt(std::log(2 / delta) / (2 * static_cast<double>(n)));
}

double dkw_lower_bound(std::span<double const> suspects, std::span<double const> reference, double delta) {
    double const e_u = dkw_half_width(suspects.size(), delta);
    double const e_n = dkw_half_width(reference.size(), delta);
    double bound = 0;
    for (Shares const& q : shares_at_reference(suspects, reference))
        if (q.reference > e_n)
            bound = std::max(bound, 1 - (q.suspects + e_u) / (q.reference - e_n));
    return bound;
}

double dkw_p_value(std::span<double const> suspects, std::span<double const> reference) {
    double gap = 0;
    for (Shares const& q : shares_at_reference(suspects, reference))
        gap = std::max(gap, q.reference - q.suspects);
    // The bound is positive once e_U + e_N < gap; solved for delta
    double const root_sum = 1 / std::sqrt(static_cast<double>(suspects.size())) +
                            1 / std::sqrt(static_cast<double>(reference.size()));
    return std::min(1.0, 2 * std::exp(-2 * (gap / root_sum) * (gap / root_sum)));
}

double clopper_pearson_lower(std::size_t k, std::size_t n, double a) {
    return k == 0 ? 0 : boost::math::ibeta_inv(static_cast<double>(k), static_cast<double>(n - k + 1), a);
}

double clopper_pearson_upper(std::size_t k, std::size_t n, double a) {
    return k == n ? 1 : boost::math::ibetac_inv(static_cast<double>(k + 1), static_cast<double>(n - k), a);
}

double grid_lower_bound(std::span<double const> suspects, std::span<double const> reference, double delta) {
    double const a = delta / (2 * static_cast<double>(kGrid.size()));
    double bound = 0;
    for (double level : kGrid) {
        std::size_t const j = rank_at(level, reference.size());
        std::size_t const k = count_up_to(suspects, reference[j - 1]);
        double const f_u = clopper_pearson_upper(k, suspects.size(), a);
        double const f_n = clopper_pearson_lower(j, reference.size(), a);
        bound = std::max(bound, 1 - f_u / f_n);
    }
    return bound;
}

double rare_member_upper_bound(std::span<double const> suspects, std::span<double const> reference,
                               double delta, double as_often) {
    double const c = reference[rank_at(kLowScores, reference.size()) - 1];
    double const q_u = clopper_pearson_lower(count_up_to(suspects, c), suspects.size(), delta / 2);
    double const q_n = clopper_pearson_upper(count_up_to(reference, c), reference.size(), delta / 2);
    return std::clamp((1 - q_u / q_n) / (1 - as_often), 0.0, 1.0);
}

double tail_probability(std::size_t k, std::size_t j, std::size_t n_suspects, std::size_t n_reference) {
    if (k == 0)
        return 1;
    std::size_t const draws = k + j - 1;
    double const all = log_choose(n_suspects + n_reference, draws);
    double sum = 0;
    // At most j terms, each a probability: their logs are taken because the binomials overflow
    for (std::size_t i = k; i <= std::min(draws, n_suspects); ++i)
        sum += std::exp(log_choose(n_suspects, i) + log_choose(n_reference, draws - i) - all);
    return std::min(sum, 1.0);
}

TailTest tail_test(std::span<double const> suspects, std::span<double const> reference) {
    TailTest test;
    for (std::size_t r = 0; r < TailTest::kRates.size(); ++r) {
        std::size_t const j = rank_at(TailTest::kRates[r], reference.size());
        double const threshold = reference[reference.size() - j];
        test.suspects_above[r] = suspects.size() - count_up_to(suspects, threshold);
        test.probability[r] = tail_probability(test.suspects_above[r], j, suspects.size(), reference.size());
        test.p_value = std::min(test.p_value, 4 * test.probability[r]);
    }
    return test;
}

} // namespace assay::usage
