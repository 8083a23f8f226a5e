#include "valuation/collect.hpp"

#include "assay/base/random.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay::valuation {

namespace {

std::vector<std::int64_t> column(std::vector<std::uint8_t> const& table, std::uint64_t width,
                                 std::uint64_t at) {
    std::vector<std::int64_t> values;
    for (std::uint64_t i = at; i < table.size(); i += width)
        values.push_back(table[i]);
    return values;
}

} // namespace

void Splitter::split(std::uint64_t query, std::span<double const> distances) {
    tau_ = weigh(splitting_.weighting, distances.first(weights_.size()), weights_);
    valuation::split(splitting_.quality[query], weights_, shares_);
}

void WeightMean::add(double tau, std::span<double const> weights) {
    ++queries_;
    if (tau > 0 && std::isfinite(tau)) {
        tau_ += tau;
        ++with_tau_;
    }
    effective_number_ += effective_number(weights);
    top_weight_ += weights[0];
}

WeightSummary WeightMean::result() const {
    auto const m = static_cast<double>(queries_);
    return {tau_ / static_cast<double>(with_tau_), effective_number_ / m, top_weight_ / m};
}

CriteriaSum::CriteriaSum(ValuationInput const& input, ValuationOptions const& options)
    : input_(input),
      seed_(options.seed),
      ks_(criterion_ks(options.k, input.neighbours.k)),
      drawn_(static_cast<std::size_t>(ks_.back())) {
    std::vector<std::int64_t> const pixel_ks =
        input.pixels ? criterion_ks(options.k, input.pixels->k) : std::vector<std::int64_t>{};
    if (!input.labels.empty() && !input.generated_labels.empty()) {
        of_class_.emplace_back(ks_, pixel_ks, chance_of_match(input.labels, input.generated_labels));
        classes_ = group_by("", input.generated_labels).values;
        std::erase_if(classes_, [](std::int64_t label) { return label < 0; });
        by_class_.assign(classes_.size(), MatchRate(ks_));
    }
    for (std::uint64_t a = 0; a < input.attributes; ++a)
        of_attribute_.emplace_back(ks_, pixel_ks,
                                   chance_of_match(column(input.attribute, input.attributes, a),
                                                   column(input.generated_attribute, input.attributes, a)));
}

template <class Visit>
void CriteriaSum::for_each(std::uint64_t query, std::span<std::int64_t const> rows, Visit visit) {
    values_.resize(rows.size());
    auto const gather = [&](auto const& table, std::uint64_t width, std::uint64_t at) {
        for (std::size_t r = 0; r < rows.size(); ++r)
            values_[r] = table[static_cast<std::uint64_t>(rows[r]) * width + at];
    };
    if (!of_class_.empty()) {
        gather(input_.labels, 1, 0);
        visit(of_class_.front(), input_.generated_labels[query]);
    }
    for (std::uint64_t a = 0; a < input_.attributes; ++a) {
        gather(input_.attribute, input_.attributes, a);
        visit(of_attribute_[a], input_.generated_attribute[query * input_.attributes + a]);
    }
}

void CriteriaSum::add(std::uint64_t query, std::span<std::int64_t const> rows,
                      std::span<double const> weights) {
    for_each(query, rows,
             [&](CriterionSum& criterion, std::int64_t wanted) { criterion.add(wanted, values_, weights); });
    if (!of_class_.empty() && input_.generated_labels[query] >= 0) {
        std::int64_t const wanted = input_.generated_labels[query];
        std::vector<std::uint8_t> matches;
        for (std::int64_t row : rows)
            matches.push_back(input_.labels[static_cast<std::size_t>(row)] == wanted);
        auto const place = std::ranges::lower_bound(classes_, wanted) - classes_.begin();
        by_class_[static_cast<std::size_t>(place)].add(matches);
    }
    if (of_class_.empty() && of_attribute_.empty())
        return;
    draw_rows(seed_, input_.generated_ids[query], input_.ids.size(), drawn_);
    for_each(query, drawn_,
             [&](CriterionSum& criterion, std::int64_t wanted) { criterion.add_random(wanted, values_); });
}

void CriteriaSum::add_pixels(std::uint64_t query, std::span<std::int64_t const> rows) {
    for_each(query, rows,
             [&](CriterionSum& criterion, std::int64_t wanted) { criterion.add_pixels(wanted, values_); });
}

void CriteriaSum::finish(Valuation& valuation) const {
    if (!of_class_.empty()) {
        IdenticalClass& found = valuation.identical_class.emplace();
        found.all = of_class_.front().result();
        found.classes = classes_;
        for (MatchRate const& rate : by_class_)
            found.by_class.push_back(rate.result());
    }
    for (CriterionSum const& criterion : of_attribute_)
        valuation.identical_attribute.push_back(criterion.result());
}

void DistanceMean::add(std::span<std::int64_t const> rows, std::span<double const> distances) {
    for (std::size_t r = 0; r < rows.size(); ++r) {
        sums_[static_cast<std::size_t>(rows[r])] += distances[r];
        ++counts_[static_cast<std::size_t>(rows[r])];
    }
}

std::vector<double> DistanceMean::result() const {
    std::vector<double> means(sums_.size(), std::numeric_limits<double>::quiet_NaN());
    for (std::size_t i = 0; i < means.size(); ++i)
        if (counts_[i] > 0)
            means[i] = sums_[i] / static_cast<double>(counts_[i]);
    return means;
}

SubsetsSum::SubsetsSum(SubsetModels const& models, std::uint64_t queries, ValuationOptions const& options)
    : models_(models),
      queries_(queries),
      predicted_(models.subsets()),
      sum_(models.subsets(), static_cast<std::uint64_t>(options.bootstrap), options.seed) {}

void SubsetsSum::add(std::span<std::int64_t const> rows, std::span<double const> weights) {
    std::uint64_t const subsets = models_.subsets();
    if (next_ == begin_ + outputs_.size() / subsets) { // read the next piece, about 2^18 outputs
        begin_ = next_;
        outputs_ = models_.outputs(begin_, std::min((1 << 18) / subsets + 1, queries_ - begin_));
    }
    std::fill(predicted_.begin(), predicted_.end(), 0);
    for (std::size_t r = 0; r < rows.size(); ++r)
        models_.add(static_cast<std::uint64_t>(rows[r]), weights[r], predicted_);
    sum_.add(predicted_, std::span(outputs_).subspan((next_++ - begin_) * subsets, subsets));
}

std::vector<GroupSum> group_sums(ValuationInput const& input, std::uint64_t replicates) {
    std::vector<GroupSum> sums;
    if (!input.labels.empty())
        sums.emplace_back(group_by("class", input.labels), replicates);
    if (!input.groups.empty())
        sums.emplace_back(group_by("group", input.groups), replicates);
    return sums;
}

Walk::Walk(ValuationInput const& input, ValuationOptions const& options, Splitting const& splitting)
    : input_(input),
      options_(options),
      splitting_(splitting),
      splitter_(splitting),
      credit_(input.ids.size(), splitting.bits),
      groups_(group_sums(input, static_cast<std::uint64_t>(options.bootstrap))),
      totals_(1, static_cast<std::uint64_t>(options.bootstrap)),
      mean_distance_(input.ids.size()),
      nearest_(static_cast<std::size_t>(options.listed)),
      criteria_(input, options),
      pixel_hits_(input.pixels ? input.ids.size() : 0),
      paper_weights_(static_cast<std::size_t>(options.k)),
      counts_(static_cast<std::size_t>(options.bootstrap)) {
    bool const long_enough = input.neighbours.k >= options.shapley_k ||
                             static_cast<std::uint64_t>(input.neighbours.k) == input.ids.size();
    if (options.shapley_k > 0 && long_enough && !input.labels.empty() && !input.generated_labels.empty())
        shapley_.emplace(input.ids.size(), options.shapley_k, input.generated_ids.size());
    if (input.subset_models)
        subsets_.emplace(*input.subset_models, input.generated_ids.size(), options);
}

void Walk::add(std::uint64_t query, std::span<std::int64_t const> list, std::span<double const> distances) {
    auto const rows = list.first(static_cast<std::size_t>(options_.k));
    std::uint64_t const id = input_.generated_ids[query];
    splitter_.split(query, distances);
    poisson_counts(options_.seed, id, counts_);
    credit_.add(splitting_.quality[query], rows, splitter_.shares(), mix64(id) % 2 == 0);
    totals_.add(0, splitting_.quality[query], counts_);
    for (GroupSum& group : groups_)
        group.add(rows, splitter_.shares(), counts_);
    weights_.add(splitter_.tau(), splitter_.weights());
    paper_.add(weigh({Temperature::paper}, distances.first(rows.size()), paper_weights_), paper_weights_);
    mean_distance_.add(list, distances);
    nearest_.add(list, distances);
    criteria_.add(query, list, splitter_.weights());
    if (shapley_)
        add_labels(query, list);
    if (subsets_)
        subsets_->add(rows, splitter_.weights());
}

void Walk::add_labels(std::uint64_t query, std::span<std::int64_t const> list) {
    std::int64_t const wanted = input_.generated_labels[query];
    if (wanted < 0)
        return;
    matches_.clear();
    for (std::int64_t row : list)
        matches_.push_back(input_.labels[static_cast<std::size_t>(row)] == wanted);
    shapley_->add(list, matches_);
}

void Walk::add_pixels(std::uint64_t query, std::span<std::int64_t const> list) {
    criteria_.add_pixels(query, list);
    for (std::int64_t row : list.first(std::min(list.size(), static_cast<std::size_t>(options_.k))))
        ++pixel_hits_[static_cast<std::size_t>(row)];
}

void Walk::finish(Valuation& valuation) const {
    credit_.check_conservation();
    valuation.credit = credit_.values();
    valuation.standard_error = credit_.standard_errors();
    valuation.hits = credit_.hits();
    valuation.total = std::ldexp(static_cast<double>(credit_.total()), -credit_.bits());
    valuation.bits = credit_.bits();
    std::uint64_t with_credit = 0;
    for (std::size_t i = 0; i < valuation.rows; ++i) {
        with_credit += credit_.credit()[i] > 0;
        valuation.few_hits += valuation.hits[i] > 0 && valuation.hits[i] < kFewHits;
    }
    valuation.coverage = static_cast<double>(with_credit) / static_cast<double>(valuation.rows);
    valuation.mean_distance = mean_distance_.result();
    valuation.pixel_hits = pixel_hits_;
    valuation.weights = weights_.result();
    valuation.paper = paper_.result();
    for (GroupSum const& group : groups_)
        valuation.groupings.push_back(
            {group.grouping().name,
             group.result(credit_.total(), totals_.of(0), credit_.bits(), options_.confidence)});
    if (shapley_ && shapley_->queries() > 0) {
        std::int64_t const length = input_.neighbours.k;
        bool const all = static_cast<std::uint64_t>(length) == input_.ids.size();
        double const error = all ? 0 : 1 / static_cast<double>(length);
        bool const exact = !input_.exact && !input_.doubled;
        valuation.shapley = {shapley_->values(), options_.shapley_k, length,
                             exact ? error : std::numeric_limits<double>::quiet_NaN(), shapley_->queries()};
    }
    if (subsets_)
        valuation.lds = subsets_->result(options_.confidence);
    criteria_.finish(valuation);
}

} // namespace assay::valuation
