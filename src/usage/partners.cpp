#include "assay/usage/partners.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"

#include <algorithm>
#include <cstring>
#include <map>

namespace assay::usage {

namespace {

constexpr std::uint64_t kBlock = 1 << 20; // suspects whose cycles are in memory together: 8 MiB

data::Samples rows(data::Samples const& all, std::size_t begin, std::size_t count, std::uint64_t bytes) {
    data::Samples part;
    part.ids.assign(all.ids.begin(), all.ids.begin() + static_cast<std::ptrdiff_t>(count));
    part.labels.assign(all.labels.begin(), all.labels.begin() + static_cast<std::ptrdiff_t>(count));
    auto const first = all.values.begin() + static_cast<std::ptrdiff_t>(begin * bytes);
    part.values.assign(first, first + static_cast<std::ptrdiff_t>(count * bytes));
    return part;
}

// The mean of two sets of samples, row by row
data::Samples halfway(data::Samples const& a, data::Samples const& b, data::DatasetInfo const& info,
                      std::uint64_t seed, char const* purpose) {
    data::Samples mixed = a;
    if (info.type == data::SampleType::float32) {
        for (std::size_t at = 0; at < mixed.values.size(); at += sizeof(float)) {
            float x = 0, y = 0;
            std::memcpy(&x, a.values.data() + at, sizeof x);
            std::memcpy(&y, b.values.data() + at, sizeof y);
            x = 0.5F * x + 0.5F * y;
            std::memcpy(mixed.values.data() + at, &x, sizeof x);
        }
        return mixed;
    }
    std::uint64_t const length = info.sample_elements();
    for (std::size_t row = 0; row < a.ids.size(); ++row) {
        Random random(seed, purpose, a.ids[row]);
        for (std::size_t at = row * length; at < (row + 1) * length; ++at) {
            unsigned const sum =
                std::to_integer<unsigned>(a.values[at]) + std::to_integer<unsigned>(b.values[at]);
            mixed.values[at] = static_cast<std::byte>((sum + (sum % 2 && random.bits() % 2)) / 2);
        }
    }
    return mixed;
}

} // namespace

std::uint64_t MixingCycles::blocks() const {
    return std::max<std::uint64_t>(1, suspects_->size() / kBlock);
}

std::uint64_t MixingCycles::begin_of(std::uint64_t block) const {
    return block == blocks() ? suspects_->size() : block * kBlock; // the last block takes the remainder
}

void MixingCycles::load(std::uint64_t block) {
    begin_ = begin_of(block);
    end_ = begin_of(block + 1);
    std::vector<std::int64_t> const labels = suspects_->labels(begin_, end_);
    std::map<std::int64_t, std::vector<std::uint64_t>> classes;
    for (std::size_t i : keyed_order(suspects_->ids(begin_, end_), mix64(seed_) ^ 0x6D6978)) // of its own
        classes[labels[i]].push_back(i);
    next_.assign(end_ - begin_, 0);
    for (auto const& [label, members] : classes) {
        if (members.size() < 4)
            fail(Exit::data,
                 "{}: class {} has {} of the suspects {} to {} (partners are mixed from 4 of a class). Leave "
                 "the class out, or name dataset.held_out",
                 suspects_->dataset().path().string(), label, members.size(), begin_, end_ - 1);
        for (std::size_t i = 0; i < members.size(); ++i)
            next_[members[i]] = begin_ + members[(i + 1) % members.size()];
    }
}

std::uint64_t MixingCycles::next(std::uint64_t position) {
    if (position < begin_ || position >= end_)
        load(std::min(position / kBlock, blocks() - 1));
    return next_[position - begin_];
}

data::Samples read_for_mixing(data::View const& suspects, MixingCycles& cycles, std::uint64_t begin,
                              std::uint64_t end) {
    std::uint64_t const count = end - begin;
    std::vector<std::uint64_t> positions;
    for (std::uint64_t i = begin; i < end; ++i)
        positions.push_back(i);
    for (std::uint64_t step = 0; step < 3; ++step)
        for (std::uint64_t i = 0; i < count; ++i)
            positions.push_back(cycles.next(positions[step * count + i]));
    return suspects.read(positions);
}

Mixed mix(data::Samples const& read, data::DatasetInfo const& info, std::uint64_t seed) {
    std::size_t const count = read.ids.size() / 4;
    auto const quarter = [&](std::size_t k) { return rows(read, k * count, count, info.sample_bytes()); };
    Mixed mixed;
    mixed.suspect = quarter(0);
    mixed.partner = halfway(mixed.suspect, quarter(1), info, seed, "mix partner");
    data::Samples const other = halfway(quarter(2), quarter(3), info, seed, "mix other partner");
    mixed.control = halfway(mixed.partner, other, info, seed, "mix control");
    return mixed;
}

} // namespace assay::usage
