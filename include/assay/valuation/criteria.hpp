//! Do neighbours show what the generated sample shows? Identical class (C1) and identical attributes (C2)
//! among the k nearest. Any neighbour method does well here: this tests the features, not attribution.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace assay::valuation {

//! A mean over queries; NaN without any.
struct Rate {
    double value = 0;
    double standard_error = 0; //!< over the draw of the queries; NaN for fewer than two
};

//! Mean over queries of the share of matches among the first k of a list, for several k at once.
class MatchRate {
  public:
    //! Ascending, each at most the lists' length.
    explicit MatchRate(std::vector<std::int64_t> ks);
    //! One query: does the r-th nearest row match?
    void add(std::span<std::uint8_t const> matches);
    //! In the order of the ks.
    std::vector<Rate> result() const;
    std::vector<std::int64_t> const& ks() const { return ks_; }

  private:
    std::vector<std::int64_t> ks_, sums_, squares_;
    std::int64_t queries_ = 0;
};

//! The ks of published tables (1, 5, 10, 15, 30, 50, 100) that lists of `stored` rows allow, and the k in
//! use.
std::vector<std::int64_t> criterion_ks(std::int64_t k, std::int64_t stored);

//! What a method that knows nothing would list: rows of [0, rows) drawn from (seed, generated id), with
//! repetition.
void draw_rows(std::uint64_t seed, std::uint64_t id, std::uint64_t rows, std::span<std::int64_t> out);

//! One criterion beside what it is compared with. `pixels` is empty where there are no lists in raw pixels.
struct Criterion {
    std::vector<std::int64_t> ks, pixel_ks;
    std::vector<Rate> rates;  //!< [ks] of the neighbours, all counting alike
    std::vector<Rate> random; //!< [ks] of rows drawn at random
    std::vector<Rate> pixels; //!< [pixel_ks] of the nearest rows in raw pixels
    double weighted = 0;      //!< of the neighbours at the k in use, counting by their weights
    double chance = 0;        //!< what random rows are expected to have
};

//! Collects one criterion. A value is a class, or an attribute's 0 or 1; a negative one is unknown: as a
//! query it is left out, as a row it matches nothing.
class CriterionSum {
  public:
    CriterionSum(std::vector<std::int64_t> ks, std::vector<std::int64_t> pixel_ks, double chance);
    //! values: of the rows of a list, nearest first. weights: of its first rows.
    void add(std::int64_t wanted, std::span<std::int64_t const> values, std::span<double const> weights);
    void add_random(std::int64_t wanted, std::span<std::int64_t const> values);
    void add_pixels(std::int64_t wanted, std::span<std::int64_t const> values);
    Criterion result() const;

  private:
    std::span<std::uint8_t const> compare(std::int64_t wanted, std::span<std::int64_t const> values);

    MatchRate rates_, random_, pixels_;
    double chance_, weighted_ = 0;
    std::int64_t queries_ = 0;
    std::vector<std::uint8_t> matches_;
};

//! sum over values >= 0 of P_rows(value) P_queries(value); the shares are of all rows, and of queries >= 0.
//! NaN without such queries.
double chance_of_match(std::span<std::int64_t const> rows, std::span<std::int64_t const> queries);

//! C1, all queries together and by the class of the generated sample.
struct IdenticalClass {
    Criterion all;
    std::vector<std::int64_t> classes;       //!< [C] of the generated samples, ascending
    std::vector<std::vector<Rate>> by_class; //!< [C][ks]
};

} // namespace assay::valuation
