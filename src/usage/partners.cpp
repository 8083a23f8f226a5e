#include "assay/usage/partners.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"

#include <cstring>
#include <map>

namespace assay::usage {

namespace {

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

std::vector<std::uint64_t> mixing_cycles(data::View const& suspects, std::uint64_t seed) {
    std::map<std::int64_t, std::vector<std::uint64_t>> classes;
    for (std::size_t position : keyed_order(suspects.ids(), mix64(seed) ^ 0x6D6978)) // an order of its own
        classes[suspects.labels()[position]].push_back(position);
    std::vector<std::uint64_t> next(suspects.size());
    for (auto const& [label, members] : classes) {
        if (members.size() < 4)
            fail(Exit::data,
                 "{}: class {} has {} suspects (partners are mixed from 4 of a class). Leave the class out, "
                 "or name dataset.held_out",
                 suspects.dataset().path().string(), label, members.size());
        for (std::size_t i = 0; i < members.size(); ++i)
            next[members[i]] = members[(i + 1) % members.size()];
    }
    return next;
}

data::Samples read_for_mixing(data::View const& suspects, std::span<std::uint64_t const> next,
                              std::uint64_t begin, std::uint64_t end) {
    std::uint64_t const count = end - begin;
    std::vector<std::uint64_t> positions;
    for (std::uint64_t i = begin; i < end; ++i)
        positions.push_back(i);
    for (std::uint64_t step = 0; step < 3; ++step)
        for (std::uint64_t i = 0; i < count; ++i)
            positions.push_back(next[positions[step * count + i]]);
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
