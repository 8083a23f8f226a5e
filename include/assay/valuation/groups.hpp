//! Credit of groups of training samples: classes, contributors, sources.
#pragma once

#include "assay/valuation/bootstrap.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace assay::valuation {

//! A partition of the training samples by one value each.
struct Grouping {
    std::string name;                 //!< "class", "group"
    std::vector<std::int64_t> values; //!< [G] distinct, ascending; of classes, -1 is no label
    std::vector<std::int64_t> sizes;  //!< [G] samples
    std::vector<std::uint32_t> of;    //!< [N] which group a row is in
};

//! Groups the rows by their values, one per row.
Grouping group_by(std::string name, std::span<std::int64_t const> values);

struct GroupCredit {
    std::int64_t value = 0, size = 0;
    double credit = 0; //!< additive; not a Shapley value of a game that groups play
    double share = 0;  //!< of all credit
    double mean = 0;   //!< credit per sample
    double lift = 0;   //!< share / (size / all samples): 1 is what its size alone would give
    Interval credit_interval, share_interval, mean_interval, lift_interval;
    double share_without_quality = 0; //!< if all generated samples counted alike
};

//! Collects the credit of one grouping, query by query.
class GroupSum {
  public:
    GroupSum(Grouping grouping, std::uint64_t replicates);
    //! Shares of one query's rows, and how often each replicate has the query.
    void add(std::span<std::int64_t const> rows, std::span<std::int64_t const> shares,
             std::span<std::uint8_t const> counts);
    //! [G] in the order of their values; `totals`: all credit in each replicate. A replicate without credit
    //! is left out of shares. Error(internal) unless the groups have `total` together.
    std::vector<GroupCredit> result(std::int64_t total, std::span<std::int64_t const> totals, int bits,
                                    double confidence) const;
    Grouping const& grouping() const { return grouping_; }

  private:
    Grouping grouping_;
    std::vector<std::int64_t> credit_;
    ReplicateSums replicates_;
    std::vector<std::int64_t> of_query_;
    std::vector<std::uint32_t> touched_;
};

} // namespace assay::valuation
