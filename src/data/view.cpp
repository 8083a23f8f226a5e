#include "assay/data/view.hpp"

#include "assay/base/random.hpp"

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

View::View(std::shared_ptr<Dataset const> dataset, Rows rows, LabelNoise noise)
    : dataset_(std::move(dataset)), rows_(std::move(rows)), noise_(noise) {}

void View::apply_noise(Samples& samples) const {
    for (std::size_t i = 0; i < samples.labels.size(); ++i)
        samples.labels[i] = noise_.label(samples.labels[i], samples.ids[i]);
}

std::vector<std::uint64_t> View::ids(std::uint64_t begin, std::uint64_t end) const {
    return dataset_->read_keys(rows_.between(begin, end)).ids;
}

std::vector<std::int64_t> View::labels(std::uint64_t begin, std::uint64_t end) const {
    Samples samples = dataset_->read_keys(rows_.between(begin, end));
    apply_noise(samples);
    return std::move(samples.labels);
}

std::vector<std::uint8_t> View::mislabelled(std::uint64_t begin, std::uint64_t end) const {
    Samples const clean = dataset_->read_keys(rows_.between(begin, end));
    Samples noisy = clean;
    apply_noise(noisy);
    std::vector<std::uint8_t> changed(clean.labels.size());
    for (std::size_t i = 0; i < changed.size(); ++i)
        changed[i] = noisy.labels[i] != clean.labels[i];
    return changed;
}

Samples View::read(std::uint64_t begin, std::uint64_t end) const {
    Samples samples = dataset_->read(rows_.between(begin, end));
    apply_noise(samples);
    return samples;
}

Samples View::read(std::span<std::uint64_t const> positions) const {
    std::vector<std::uint64_t> rows;
    for (std::uint64_t position : positions)
        rows.push_back(rows_.at(position));
    Samples samples = dataset_->read(rows);
    apply_noise(samples);
    return samples;
}

} // namespace assay::data
