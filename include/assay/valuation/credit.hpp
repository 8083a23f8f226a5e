//! Credit in whole numbers: sums in any order give the same bits, and nothing is lost or made.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace assay::valuation {

//! One unit of quality is 2^bits units of credit: the most that keeps a bootstrap replicate, which counts a
//! query up to 13 times, within 64 bits. At most 40; smaller only above a total of 2^18.
int credit_bits(double total_quality);

//! quality * 2^bits, rounded to even; quality finite and not negative.
std::int64_t to_credit(double quality, int bits);

//! Splits a query's credit by its weights: shares[r] = floor(weights[r] * quality), and the nearest row, r =
//! 0, gets what rounding leaves. The shares add up to `quality`. Error(internal) if they cannot.
void split(std::int64_t quality, std::span<double const> weights, std::span<std::int64_t> shares);

//! Credit of all rows, query by query. Memory: 32 bytes per row.
class CreditSum {
  public:
    CreditSum(std::uint64_t rows, int bits);
    //! One query: its credit, its list and the shares of split(). `half` counts it into half_credit().
    void add(std::int64_t quality, std::span<std::int64_t const> rows, std::span<std::int64_t const> shares,
             bool half = false);
    //! Error(internal) unless all rows together have exactly what the queries had.
    void check_conservation() const;

    int bits() const { return bits_; }
    std::uint64_t queries() const { return queries_; }
    std::int64_t total() const { return total_; }
    std::vector<std::int64_t> const& credit() const { return credit_; }
    //! The part of the credit that came from queries of one half.
    std::vector<std::int64_t> const& half_credit() const { return half_credit_; }
    //! How many lists a row is in.
    std::vector<std::int64_t> const& hits() const { return hits_; }

    //! Credit in units of quality.
    std::vector<double> values() const;
    //! Of values(), over the draw of the queries: sqrt(m/(m-1) (sum of squares - (sum)^2/m)); NaN for m = 1.
    std::vector<double> standard_errors() const;

  private:
    int bits_;
    std::uint64_t queries_ = 0;
    std::int64_t total_ = 0;
    std::vector<std::int64_t> credit_, half_credit_, hits_;
    std::vector<double> squares_; // of one query's share, in units of quality
};

} // namespace assay::valuation
