//! Tests of "none of the suspects was used" and bounds on the fraction p that was.
//!
//! Model: suspects are a mixture, F_U = (1-p) F_N + p F_M, of the reference N and of unknown members M. Hence
//! 1-p <= F_U(c)/F_N(c) at every score c, whatever M is: lower bounds need only that N is right, upper bounds
//! need an assumption on M. All functions take *ascending* scores (larger = more like a member), non-empty,
//! use
//! "<= c" on both sides, depend on the order of the scores alone, and are local.
//! What none of them covers: a reference that does not score like unused suspects.
//!
//! On validity: the guarantees hold for a score fixed in advance. The z-sum takes each signal's location and
//! scale from the reference, which changes the relative weights of the signals by O(1/sqrt(n)) and never
//! looks at the suspects; with it the levels are approximate.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace assay::usage {

//! Shares of both sides at or below one score.
struct Shares {
    double suspects = 0;
    double reference = 0;
};

//! Shares at every distinct reference score, ascending: the places where F_U/F_N can be smallest.
std::vector<Shares> shares_at_reference(std::span<double const> suspects, std::span<double const> reference);

//! One-sided Dvoretzky-Kiefer-Wolfowitz-Massart half-width for n draws at level delta/2:
//! sqrt(ln(2/delta)/(2n)).
double dkw_half_width(std::size_t n, double delta);

//! Lower bound on p that holds at all scores at once, error probability at most delta:
//! max over c of 1 - (q_U + e_U)/(q_N - e_N), in [0, 1].
double dkw_lower_bound(std::span<double const> suspects, std::span<double const> reference, double delta);

//! The smallest delta at which dkw_lower_bound() is positive, at most 1: a p-value of p = 0.
double dkw_p_value(std::span<double const> suspects, std::span<double const> reference);

//! Ends of the exact binomial interval (Clopper and Pearson 1934) for k of n, error probability a on that
//! side.
double clopper_pearson_lower(std::size_t k, std::size_t n, double a);
double clopper_pearson_upper(std::size_t k, std::size_t n, double a);

//! Lower bound on p over 16 fixed reference ranks, error probability at most delta (delta/32 per end).
//! No sample is split: at the j-th smallest of n reference scores F_N is Beta(j, n-j+1) exactly, whose
//! quantile is the Clopper-Pearson end at j of n, and given that score the suspects below it are binomial.
//! The ranks are fixed before any score is seen, hence a union bound over the ranks is enough. Ties only make
//! it more careful.
double grid_lower_bound(std::span<double const> suspects, std::span<double const> reference, double delta);

//! Upper bound on p, error probability at most delta, *assuming* that members reach the reference's 10 %
//! quantile c or less at most `as_often` times as often as others do: then q_U <= (1-p) q_N + p q_N as_often,
//! so p <= (1 - low(q_U)/up(q_N))/(1 - as_often), Clopper-Pearson ends at delta/2 each.
double rare_member_upper_bound(std::span<double const> suspects, std::span<double const> reference,
                               double delta, double as_often = 0.1);

//! P[Hypergeometric(n_suspects + n_reference, n_suspects successes, k + j - 1 draws) >= k], 1 if k = 0:
//! the chance, if both sides are alike, that k or more suspects lie above the j-th largest reference score.
double tail_probability(std::size_t k, std::size_t j, std::size_t n_suspects, std::size_t n_reference);

//! Exact two-sample tail test of p = 0 at four false-positive rates.
struct TailTest {
    static constexpr std::array<double, 4> kRates{0.001, 0.002, 0.005, 0.01};
    std::array<std::size_t, 4> suspects_above{}; //!< suspects above the j-th largest reference score
    std::array<double, 4> probability{};         //!< of so many or more, each rate on its own
    double p_value = 1;                          //!< 4 times the smallest (Bonferroni), at most 1
};

//! Suspects that tie with the threshold do not count, which can only raise the p-value.
TailTest tail_test(std::span<double const> suspects, std::span<double const> reference);

} // namespace assay::usage
