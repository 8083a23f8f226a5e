//! What one walk through the neighbour lists collects.
#pragma once

#include "assay/valuation/credit.hpp"
#include "assay/valuation/shapley.hpp"
#include "assay/valuation/valuation.hpp"

#include <optional>
#include <span>
#include <vector>

namespace assay::valuation {

//! What all walks share: how a generated sample's credit is split over its list.
struct Splitting {
    Weighting weighting;
    std::vector<std::int64_t> quality; //!< [m] in units of credit
    std::int64_t k = 0;
    int bits = 0;
};

//! Shares of one list, and how they came about; valid until the next split.
class Splitter {
  public:
    explicit Splitter(Splitting const& splitting)
        : splitting_(splitting), weights_(static_cast<std::size_t>(splitting.k)), shares_(weights_.size()) {}
    void split(std::uint64_t query, std::span<double const> distances);

    double tau() const { return tau_; }
    std::span<double const> weights() const { return weights_; }
    std::span<std::int64_t const> shares() const { return shares_; }

  private:
    Splitting const& splitting_;
    double tau_ = 0;
    std::vector<double> weights_;
    std::vector<std::int64_t> shares_;
};

//! The mean of WeightSummary.
class WeightMean {
  public:
    void add(double tau, std::span<double const> weights);
    WeightSummary result() const;

  private:
    double tau_ = 0, effective_number_ = 0, top_weight_ = 0;
    std::uint64_t queries_ = 0, with_tau_ = 0;
};

//! C1 and C2.
class CriteriaSum {
  public:
    CriteriaSum(ValuationInput const& input, ValuationOptions const& options);
    //! rows: the stored list; weights: of its first rows.
    void add(std::uint64_t query, std::span<std::int64_t const> rows, std::span<double const> weights);
    void add_pixels(std::uint64_t query, std::span<std::int64_t const> rows);
    void finish(Valuation& valuation) const;

  private:
    //! Calls visit(criterion, wanted value, values of the rows).
    template <class Visit>
    void for_each(std::uint64_t query, std::span<std::int64_t const> rows, Visit visit);

    ValuationInput const& input_;
    std::uint64_t seed_;
    std::vector<std::int64_t> ks_;
    std::vector<CriterionSum> of_class_; // one, or none without labels
    std::vector<std::int64_t> classes_;
    std::vector<MatchRate> by_class_;
    std::vector<CriterionSum> of_attribute_;
    std::vector<std::int64_t> values_, drawn_;
};

//! Over the lists that a row is in.
class DistanceMean {
  public:
    explicit DistanceMean(std::uint64_t rows) : sums_(rows), counts_(rows) {}
    void add(std::span<std::int64_t const> rows, std::span<double const> distances);
    //! [N]; NaN in no list.
    std::vector<double> result() const;

  private:
    std::vector<double> sums_;
    std::vector<std::int64_t> counts_;
};

//! Does credit predict what the models trained on subsets put out?
class SubsetsSum {
  public:
    SubsetsSum(SubsetModels const& models, std::uint64_t queries, ValuationOptions const& options);
    //! The next query.
    void add(std::span<std::int64_t const> rows, std::span<double const> weights);
    Lds result(double confidence) const { return sum_.result(confidence); }

  private:
    SubsetModels const& models_;
    std::uint64_t queries_, next_ = 0, begin_ = 0;
    std::vector<double> outputs_, predicted_; // those of queries from begin_ on
    LdsSum sum_;
};

//! Credit by label or group, [0] classes and [1] groups, those that the input has.
std::vector<GroupSum> group_sums(ValuationInput const& input, std::uint64_t replicates);

//! All that the main walk collects.
class Walk {
  public:
    Walk(ValuationInput const& input, ValuationOptions const& options, Splitting const& splitting);
    //! The next list, whole.
    void add(std::uint64_t query, std::span<std::int64_t const> list, std::span<double const> distances);
    void add_pixels(std::uint64_t query, std::span<std::int64_t const> list);
    //! Everything of the valuation that comes from here.
    void finish(Valuation& valuation) const;

    CreditSum const& credit() const { return credit_; }
    NearestRows const& nearest() const { return nearest_; }

  private:
    void add_labels(std::uint64_t query, std::span<std::int64_t const> list);

    ValuationInput const& input_;
    ValuationOptions const& options_;
    Splitting const& splitting_;
    Splitter splitter_;
    CreditSum credit_;
    std::vector<GroupSum> groups_;
    ReplicateSums totals_;
    WeightMean weights_, paper_;
    DistanceMean mean_distance_;
    NearestRows nearest_;
    CriteriaSum criteria_;
    std::optional<ShapleySum> shapley_;
    std::optional<SubsetsSum> subsets_;
    std::vector<std::int64_t> pixel_hits_;
    std::vector<double> paper_weights_;
    std::vector<std::uint8_t> counts_, matches_;
};

} // namespace assay::valuation
