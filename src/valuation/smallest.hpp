//! Keeping the smallest of a stream of values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace assay::valuation {

//! Fills `best` with the smallest of `found`, ascending; what is left of it stays as it is. `found` is
//! reordered.
template <class T>
void keep_smallest(std::span<T> found, std::span<T> best) {
    auto const kept = static_cast<std::ptrdiff_t>(std::min(found.size(), best.size()));
    std::partial_sort(found.begin(), found.begin() + kept, found.end());
    std::copy_n(found.begin(), kept, best.begin());
}

//! Holds at least all values given to add() that are below limit(), and fewer than 2 x `keep` values.
//! Sorting out only when full makes each value cost a few comparisons, in whatever order they come.
template <class T>
class Smallest {
  public:
    Smallest(std::size_t keep, T limit) : keep_(keep), limit_(limit) { values_.reserve(2 * keep); }

    T const& limit() const { return limit_; }
    //! For values below limit(); others do no harm.
    void add(T const& value) {
        values_.push_back(value);
        if (values_.size() < 2 * keep_)
            return;
        auto const last = values_.begin() + static_cast<std::ptrdiff_t>(keep_) - 1;
        std::nth_element(values_.begin(), last, values_.end());
        limit_ = *last;
        values_.resize(keep_);
    }
    //! For who does not add() values from `limit` on.
    void lower_limit(T const& limit) { limit_ = std::min(limit_, limit); }
    std::vector<T> const& values() const { return values_; }
    //! As keep_smallest(), of what is held.
    void sorted_into(std::span<T> best) { keep_smallest(std::span(values_), best); }

  private:
    std::size_t keep_;
    T limit_;
    std::vector<T> values_;
};

} // namespace assay::valuation
