//! A view: chosen rows of a data set, ascending; what a pass walks over and a training learns from.
#pragma once

#include "assay/data/dataset.hpp"
#include "assay/data/rows.hpp"

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

//! Rows of one data set. Nothing is read before it is asked for. Copies share the open file. Local
//! throughout.
class View {
  public:
    View() = default;
    View(std::shared_ptr<Dataset const> dataset, Rows rows, LabelNoise noise = {});

    std::uint64_t size() const { return rows_.size(); }
    DatasetInfo const& info() const { return dataset_->info(); }
    Dataset const& dataset() const { return *dataset_; }
    std::shared_ptr<Dataset const> const& shared_dataset() const { return dataset_; }
    Rows const& rows() const { return rows_; }
    LabelNoise const& noise() const { return noise_; }

    //! Ids at positions [begin, end).
    std::vector<std::uint64_t> ids(std::uint64_t begin, std::uint64_t end) const;
    //! Labels at positions [begin, end), noise applied; empty where the data set has none.
    std::vector<std::int64_t> labels(std::uint64_t begin, std::uint64_t end) const;
    //! Which labels the noise replaced, [end - begin]; empty without labels.
    std::vector<std::uint8_t> mislabelled(std::uint64_t begin, std::uint64_t end) const;

    //! Samples at positions [begin, end) of the view.
    Samples read(std::uint64_t begin, std::uint64_t end) const;
    //! Samples at the given positions, in that order.
    Samples read(std::span<std::uint64_t const> positions) const;

  private:
    void apply_noise(Samples& samples) const;

    std::shared_ptr<Dataset const> dataset_;
    Rows rows_;
    LabelNoise noise_;
};

} // namespace assay::data
