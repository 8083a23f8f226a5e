#include "assay/usage/partners.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

namespace assay::usage {

namespace {

constexpr std::uint64_t kBlock = 1 << 20; // suspects whose neighbours are in memory together: 36 MiB
constexpr std::uint64_t kGroup = 512;     // compared with each other: all pairs

// The mean of two sets of samples, row by row
data::Samples halfway(data::Samples const& a, data::Samples const& b, data::DatasetInfo const& info,
                      std::uint64_t seed, std::string const& purpose) {
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

double squared_difference(std::byte const* a, std::byte const* b, data::DatasetInfo const& info) {
    std::uint64_t const length = info.sample_elements();
    double sum = 0;
    if (info.type == data::SampleType::float32) {
        for (std::uint64_t c = 0; c < length; ++c) {
            float x = 0, y = 0;
            std::memcpy(&x, a + c * sizeof x, sizeof x);
            std::memcpy(&y, b + c * sizeof y, sizeof y);
            sum += (double{x} - double{y}) * (double{x} - double{y});
        }
        return sum;
    }
    constexpr std::uint64_t kPiece = 1 << 14; // its sum fits into 32 bits
    for (std::uint64_t begin = 0; begin < length; begin += kPiece) {
        std::int32_t piece = 0;
        for (std::uint64_t c = begin; c < std::min(length, begin + kPiece); ++c) {
            std::int32_t const difference =
                std::to_integer<std::int32_t>(a[c]) - std::to_integer<std::int32_t>(b[c]);
            piece += difference * difference;
        }
        sum += piece;
    }
    return sum;
}

} // namespace

std::uint64_t Neighbourhoods::blocks() const {
    return std::max<std::uint64_t>(1, suspects_->size() / kBlock);
}

std::uint64_t Neighbourhoods::begin_of(std::uint64_t block) const {
    return block == blocks() ? suspects_->size() : block * kBlock; // the last block takes the remainder
}

void Neighbourhoods::load(std::uint64_t block) {
    begin_ = begin_of(block);
    end_ = begin_of(block + 1);
    std::vector<std::int64_t> const labels = suspects_->labels(begin_, end_);
    std::map<std::int64_t, Group> classes;
    for (std::size_t i = 0; i < labels.size(); ++i)
        classes[labels[i]].push_back(begin_ + i);
    groups_.clear();
    group_of_.assign(labels.size(), 0);
    neighbours_.resize(labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i)
        neighbours_[i].fill(begin_ + i);
    for (auto const& [label, members] : classes) {
        if (members.size() <= kSteps)
            fail(Exit::data,
                 "{}: class {} has {} of the suspects {} to {} (partners are mixed from {} of a class). "
                 "Leave the class out, "
                 "name dataset.held_out, or have partners redrawn alone (a generator, "
                 "usage.partners=\"redrawn\")",
                 suspects_->dataset().path().string(), label, members.size(), begin_, end_ - 1, kRungs);
        std::uint64_t const size = members.size(), groups = std::max<std::uint64_t>(1, size / kGroup);
        for (std::uint64_t g = 0; g < groups; ++g) {
            // clang 14 captures a binding only by another name
            auto const at = [&, &rows = members](std::uint64_t n) {
                return rows.begin() + static_cast<std::ptrdiff_t>(size * n / groups);
            };
            Group const& group = groups_.emplace_back(at(g), at(g + 1));
            for (std::uint64_t position : group)
                group_of_[position - begin_] = static_cast<std::uint32_t>(groups_.size() - 1);
        }
    }
}

void Neighbourhoods::find_neighbours(Group const& group) {
    data::Samples const samples = suspects_->read(group);
    std::uint64_t const bytes = suspects_->info().sample_bytes();
    using Near = std::tuple<double, std::uint64_t, std::uint64_t>; // by distance, then id; position
    for (std::size_t i = 0; i < group.size(); ++i) {
        std::vector<Near> near;
        for (std::size_t j = 0; j < group.size(); ++j)
            if (j != i)
                near.emplace_back(squared_difference(samples.values.data() + i * bytes,
                                                     samples.values.data() + j * bytes, suspects_->info()),
                                  samples.ids[j], group[j]);
        std::partial_sort(near.begin(), near.begin() + kSteps, near.end());
        std::array<std::uint64_t, kSteps>& found = neighbours_[group[i] - begin_];
        Random random(seed_, "ladder", samples.ids[i]);
        for (std::size_t k = 0; k < kSteps; ++k) { // Fisher-Yates, from inside out; the farthest stays last
            std::size_t const place = k + 1 < kSteps ? random.below(k + 1) : k;
            found[k] = found[place];
            found[place] = std::get<2>(near[k]);
        }
    }
}

std::array<std::uint64_t, kSteps> Neighbourhoods::of(std::uint64_t position) {
    if (position < begin_ || position >= end_)
        load(std::min(position / kBlock, blocks() - 1));
    if (neighbours_[position - begin_].front() == position)
        find_neighbours(groups_[group_of_[position - begin_]]);
    return neighbours_[position - begin_];
}

data::Samples read_for_mixing(data::View const& suspects, Neighbourhoods& neighbourhoods, std::uint64_t begin,
                              std::uint64_t end) {
    std::uint64_t const count = end - begin;
    std::vector<std::uint64_t> positions(kRungs * count);
    for (std::uint64_t i = 0; i < count; ++i) {
        positions[i] = begin + i;
        std::array<std::uint64_t, kSteps> const near = neighbourhoods.of(begin + i);
        for (std::size_t k = 0; k < kSteps; ++k)
            positions[(k + 1) * count + i] = near[k];
    }
    return suspects.read(positions);
}

void mix_rungs(std::span<data::Samples, kRungs> samples, data::DatasetInfo const& info, std::uint64_t seed) {
    for (std::size_t k = 1; k < kRungs; ++k)
        samples[k] = halfway(samples[k - 1], samples[k], info, seed, fmt::format("ladder step {}", k));
}

} // namespace assay::usage
