//! A view: chosen rows of a data set in a fixed order; what a pass walks over and a training learns from.
#pragma once

#include "assay/data/dataset.hpp"

#include <memory>

namespace assay::data {

//! Label noise for experiments: each label is replaced, with probability `share`, by another class; the draw
//! belongs to (seed, id), so every view of a data set sees the same labels.
struct LabelNoise {
    double share = 0;
    std::uint64_t seed = 0;
    std::int64_t classes = 0;
    //! The label that a sample carries.
    std::int64_t label(std::int64_t clean, std::uint64_t id) const;
};

//! Rows of one data set. Copies share the open file. Local throughout.
class View {
  public:
    View() = default;
    //! `rows` in the order they shall be seen.
    View(std::shared_ptr<Dataset const> dataset, std::vector<std::uint64_t> rows, LabelNoise noise = {});

    std::uint64_t size() const { return rows_.size(); }
    DatasetInfo const& info() const { return dataset_->info(); }
    Dataset const& dataset() const { return *dataset_; }
    std::vector<std::uint64_t> const& rows() const { return rows_; }
    //! Ids [size] in view order.
    std::vector<std::uint64_t> const& ids() const { return ids_; }
    //! Labels [size] in view order, noise applied; empty where the data set has none.
    std::vector<std::int64_t> const& labels() const { return labels_; }
    //! Which labels the noise replaced, [size]; empty without labels.
    std::vector<std::uint8_t> mislabelled() const;

    //! Samples at positions [begin, end) of the view.
    Samples read(std::uint64_t begin, std::uint64_t end) const;
    //! Samples at the given positions, in that order.
    Samples read(std::span<std::uint64_t const> positions) const;
    //! The part of the view at the given positions.
    View at(std::span<std::uint64_t const> positions) const;

  private:
    std::shared_ptr<Dataset const> dataset_;
    std::vector<std::uint64_t> rows_, ids_;
    std::vector<std::int64_t> labels_;
    LabelNoise noise_;
};

} // namespace assay::data
