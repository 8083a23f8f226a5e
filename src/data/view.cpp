#include "assay/data/view.hpp"

#include "assay/base/random.hpp"

#include <numeric>

namespace assay::data {

std::int64_t LabelNoise::label(std::int64_t clean, std::uint64_t id) const {
    if (share == 0 || classes < 2)
        return clean;
    Random random(seed, "label noise", id);
    if (random.uniform() >= share)
        return clean;
    auto const shift = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(classes - 1)));
    return (clean + 1 + shift) % classes;
}

View::View(std::shared_ptr<Dataset const> dataset, std::vector<std::uint64_t> rows, LabelNoise noise)
    : dataset_(std::move(dataset)), rows_(std::move(rows)), noise_(noise) {
    std::vector<std::uint64_t> const all_ids = dataset_->ids();
    std::vector<std::int64_t> const all_labels = dataset_->labels();
    for (std::uint64_t row : rows_) {
        ids_.push_back(all_ids[row]);
        if (!all_labels.empty())
            labels_.push_back(noise_.label(all_labels[row], all_ids[row]));
    }
}

std::vector<std::uint8_t> View::mislabelled() const {
    std::vector<std::int64_t> const clean = dataset_->labels();
    std::vector<std::uint8_t> changed(labels_.size());
    for (std::size_t i = 0; i < changed.size(); ++i)
        changed[i] = labels_[i] != clean[rows_[i]];
    return changed;
}

Samples View::read(std::span<std::uint64_t const> positions) const {
    std::vector<std::uint64_t> rows;
    for (std::uint64_t position : positions)
        rows.push_back(rows_[position]);
    Samples samples = dataset_->read(rows);
    if (!labels_.empty())
        for (std::size_t i = 0; i < positions.size(); ++i)
            samples.labels[i] = labels_[positions[i]];
    return samples;
}

Samples View::read(std::uint64_t begin, std::uint64_t end) const {
    std::vector<std::uint64_t> positions(end - begin);
    std::iota(positions.begin(), positions.end(), begin);
    return read(positions);
}

View View::at(std::span<std::uint64_t const> positions) const {
    std::vector<std::uint64_t> rows;
    for (std::uint64_t position : positions)
        rows.push_back(rows_[position]);
    return {dataset_, std::move(rows), noise_};
}

} // namespace assay::data
