//! Shapley values of a K-nearest-neighbour classifier, from truncated lists.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace assay::valuation {

//! Values of one query's list (Jia et al. 2019, theorem 1). The utility of a set of training rows is the
//! share of matching labels among its K nearest, out of K. matches: is the label of the r-th nearest the
//! query's, [L]. Where the list holds all `rows` rows the values are exact and sum to the utility of all;
//! otherwise the last of the list and all beyond get 0, an error of at most 1/L each. L >= K, or L = rows.
void shapley_of_list(std::span<std::uint8_t const> matches, std::int64_t k, std::uint64_t rows,
                     std::span<double> values);

//! Mean over queries, in whole numbers like credit.
class ShapleySum {
  public:
    ShapleySum(std::uint64_t rows, std::int64_t k, std::uint64_t most_queries);
    //! One query's list: its rows, and which of them have its label.
    void add(std::span<std::int64_t const> rows, std::span<std::uint8_t const> matches);
    //! [N]; zeros if there was no query.
    std::vector<double> values() const;
    std::uint64_t queries() const { return queries_; }

  private:
    std::int64_t k_;
    int bits_;
    std::uint64_t queries_ = 0;
    std::vector<std::int64_t> sums_;
    std::vector<double> of_query_;
};

} // namespace assay::valuation
