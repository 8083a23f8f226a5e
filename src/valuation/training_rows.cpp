#include "assay/valuation/training_rows.hpp"

#include "assay/base/error.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/comm/smallest.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

namespace assay::valuation {

namespace {

constexpr std::array<std::string_view, 3> kNames{"float32", "float16", "bfloat16"};
constexpr std::int64_t kPieceBytes = 4 << 20; // read at a time

std::size_t bytes_of(Storage storage) {
    return storage == Storage::float32 ? 4 : 2;
}

// Calls action(T()) with the stored type
template <class Action>
auto with_type(Storage storage, Action action) {
    switch (storage) {
    case Storage::float16:
        return action(c10::Half());
    case Storage::bfloat16:
        return action(c10::BFloat16());
    default:
        return action(float());
    }
}

} // namespace

std::string_view name_of(Storage storage) {
    return kNames[static_cast<std::size_t>(storage)];
}

Storage storage_named(std::string_view name) {
    for (std::size_t i = 0; i < kNames.size(); ++i)
        if (kNames[i] == name)
            return static_cast<Storage>(i);
    fail(Exit::usage, "unknown storage '{}'. Use one of {}", name, fmt::join(kNames, ", "));
}

void make_comparable(std::span<float> values, Distance distance, Storage storage, std::string_view matrix,
                     std::uint64_t row) {
    prepare_row(distance, values, matrix, row);
    with_type(storage, [&]<class T>(T) {
        for (float& value : values) {
            float const rounded = static_cast<float>(static_cast<T>(value));
            if (!std::isfinite(rounded))
                fail(Exit::data,
                     "{}: row {} holds {} (too large for {}). Scale the features down, or store them "
                     "as float32",
                     matrix, row, value, name_of(storage));
            value = rounded;
        }
    });
}

TrainingRows::TrainingRows(comm::Communicator const& comm, FeatureMatrix const& matrix, Distance distance,
                           Storage storage)
    : comm_(comm),
      distance_(distance),
      storage_(storage),
      total_(static_cast<std::int64_t>(matrix.rows)),
      width_(static_cast<std::int64_t>(matrix.width)),
      begin_(total_ * comm.rank() / comm.size()),
      size_(total_ * (comm.rank() + 1) / comm.size() - begin_) {
    comm::agree(comm, [&] { load(matrix); });
    // Doubles that are not negative are in the order of their bits
    largest_norm_ = std::bit_cast<double>(comm::all_max(comm, std::bit_cast<std::int64_t>(largest_norm_)));
}

void TrainingRows::load(FeatureMatrix const& matrix) {
    if (width_ == 0)
        fail(Exit::data, "{}: features of width 0. Choose other features", matrix.name);
    auto const width = static_cast<std::size_t>(width_);
    values_.resize(static_cast<std::size_t>(size_) * width * bytes_of(storage_));
    squared_norms_.resize(static_cast<std::size_t>(size_));
    std::int64_t const piece = std::max<std::int64_t>(1, kPieceBytes / (4 * width_));
    std::vector<float> values;
    for (std::int64_t first = 0; first < size_; first += piece) {
        std::int64_t const count = std::min(piece, size_ - first);
        values.resize(static_cast<std::size_t>(count) * width);
        matrix.read(static_cast<std::uint64_t>(begin_ + first), static_cast<std::uint64_t>(count), values);
        for (std::int64_t r = 0; r < count; ++r) {
            std::span<float> const row =
                std::span(values).subspan(static_cast<std::size_t>(r) * width, width);
            make_comparable(row, distance_, storage_, matrix.name,
                            static_cast<std::uint64_t>(begin_ + first + r));
            store(row, first + r);
            double const squared = squared_norm(row);
            squared_norms_[static_cast<std::size_t>(first + r)] = static_cast<float>(squared);
            largest_norm_ = std::max(largest_norm_, std::sqrt(squared));
        }
    }
}

void TrainingRows::store(std::span<float const> values, std::int64_t slice_row) {
    with_type(storage_, [&]<class T>(T) {
        T* const out = reinterpret_cast<T*>(values_.data()) + slice_row * width_;
        std::transform(values.begin(), values.end(), out, [](float value) { return static_cast<T>(value); });
    });
}

PreparedQueries TrainingRows::prepare(QueryBlock block, std::int64_t k) const {
    auto const width = static_cast<std::size_t>(width_);
    PreparedQueries queries;
    comm::agree(comm_, [&] {
        if (k < 1 || k > total_)
            fail(Exit::usage, "{} neighbours of each row of {} (there are {} training rows). Ask for 1 to {}",
                 k, block.matrix, total_, total_);
        if (block.values.size() % width != 0)
            fail(Exit::internal, "{}: {} values are no rows of width {}", block.matrix, block.values.size(),
                 width_);
        queries.count = static_cast<std::int64_t>(block.values.size() / width);
        for (std::uint64_t q = 0; q < static_cast<std::uint64_t>(queries.count); ++q) {
            std::span<float> const row = std::span(block.values).subspan(q * width, width);
            make_comparable(row, distance_, storage_, block.matrix, block.begin + q);
            queries.norms.push_back(std::sqrt(squared_norm(row)));
        }
    });
    queries.values = std::move(block.values);
    return queries;
}

void TrainingRows::widen(std::int64_t slice_row, std::span<float> out) const {
    with_type(storage_, [&]<class T>(T) {
        std::copy_n(reinterpret_cast<T const*>(values_.data()) + slice_row * width_, width_, out.begin());
    });
}

Keyed TrainingRows::keyed(std::int64_t slice_row, std::span<float const> query,
                          std::vector<float>& scratch) const {
    auto const width = static_cast<std::size_t>(width_);
    if (storage_ == Storage::float32) {
        float const* const row = reinterpret_cast<float const*>(values_.data()) + slice_row * width_;
        return {exact_key(distance_, {row, width}, query), begin_ + slice_row};
    }
    scratch.resize(width);
    widen(slice_row, scratch);
    return {exact_key(distance_, scratch, query), begin_ + slice_row};
}

Neighbours TrainingRows::merge(std::vector<Keyed> lists, std::int64_t k, int owner) const {
    comm::smallest_at(comm_, owner, lists, static_cast<std::size_t>(k));
    Neighbours neighbours{k, {}, {}};
    if (comm_.rank() != owner)
        return neighbours;
    neighbours.rows.reserve(lists.size());
    neighbours.distances.reserve(lists.size());
    for (Keyed const& each : lists) {
        neighbours.rows.push_back(each.row);
        neighbours.distances.push_back(distance_of(distance_, each.key));
    }
    return neighbours;
}

} // namespace assay::valuation
