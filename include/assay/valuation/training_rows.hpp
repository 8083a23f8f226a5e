//! Training rows spread over the ranks, each holding a contiguous slice in memory, and exact keys of them.
#pragma once

#include "assay/comm/communicator.hpp"
#include "assay/valuation/distance.hpp"
#include "assay/valuation/features.hpp"
#include "assay/valuation/neighbours.hpp"

#include <compare>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace assay::valuation {

//! How features are kept. The shorter ones halve the memory; all distances are then those of the rounded
//! values, of training rows and queries alike, so that duplicates stay at distance 0.
enum class Storage { float32, float16, bfloat16 };

//! "float32", "float16", "bfloat16", as in job files.
std::string_view name_of(Storage storage);
//! Error(usage) for any other name.
Storage storage_named(std::string_view name);

//! Local. Makes a row what is kept of it and compared: prepare_row(), then rounded to the storage.
//! Error(data) as prepare_row(), and for a value that the storage cannot hold.
void make_comparable(std::span<float> values, Distance distance, Storage storage, std::string_view matrix,
                     std::uint64_t row);

//! Consecutive queries.
struct QueryBlock {
    std::string matrix;        //!< for messages
    std::uint64_t begin = 0;   //!< number of the first
    std::vector<float> values; //!< [n, width]
};

//! Queries ready to be compared with training rows.
struct PreparedQueries {
    std::int64_t count = 0;
    std::vector<float> values; //!< [count, width]
    std::vector<double> norms; //!< [count]
    std::span<float const> row(std::size_t q) const {
        std::size_t const width = values.size() / norms.size();
        return std::span(values).subspan(q * width, width);
    }
};

//! A training row and its exact key. Ordered by (key, row).
struct Keyed {
    double key = std::numeric_limits<double>::infinity();
    std::int64_t row = std::numeric_limits<std::int64_t>::max();
    auto operator<=>(Keyed const&) const = default;
};

//! Immutable once made. Members are local unless they say otherwise. "Slice row" r is row begin() + r.
class TrainingRows {
  public:
    //! Collective. Rank p of P takes rows [pN/P, (p+1)N/P). Error(data) as make_comparable().
    TrainingRows(comm::Communicator const& comm, FeatureMatrix const& matrix, Distance distance,
                 Storage storage);

    comm::Communicator const& comm() const { return comm_; }
    Distance distance() const { return distance_; }
    Storage storage() const { return storage_; }
    std::int64_t total() const { return total_; }
    std::int64_t width() const { return width_; }
    std::int64_t begin() const { return begin_; }
    //! Rows of the slice.
    std::int64_t size() const { return size_; }
    //! The slice as stored, [size, width] of 4 or 2 bytes.
    std::byte const* data() const { return values_.data(); }
    //! |x|^2 of the slice's rows, in double precision and rounded.
    std::vector<float> const& squared_norms() const { return squared_norms_; }
    //! max |x| over all rows of all ranks.
    double largest_norm() const { return largest_norm_; }

    //! Collective; all ranks pass the same block. Error(data) as the constructor, Error(usage) if k is not in
    //! [1, total()].
    PreparedQueries prepare(QueryBlock block, std::int64_t k) const;
    //! A slice row as floats, [width].
    void widen(std::int64_t slice_row, std::span<float> out) const;
    //! A slice row with its exact key; `scratch` is memory for one widened row, and may be reused.
    Keyed keyed(std::int64_t slice_row, std::span<float const> query, std::vector<float>& scratch) const;
    //! Collective. `lists` is [n, k] of this rank's nearest, ascending, padded with Keyed(): returns the k
    //! nearest of all ranks on rank `owner`, empty lists elsewhere.
    Neighbours merge(std::vector<Keyed> lists, std::int64_t k, int owner) const;

  private:
    void load(FeatureMatrix const& matrix);
    void store(std::span<float const> values, std::int64_t slice_row);

    comm::Communicator comm_;
    Distance distance_;
    Storage storage_;
    std::int64_t total_, width_, begin_, size_;
    std::vector<std::byte> values_;
    std::vector<float> squared_norms_;
    double largest_norm_ = 0;
};

} // namespace assay::valuation
