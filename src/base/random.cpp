#include "assay/base/random.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace assay {

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
    for (int round = 0; round < 10; ++round) {
        std::uint64_t const a = std::uint64_t{0xD2511F53} * counter[0];
        std::uint64_t const b = std::uint64_t{0xCD9E8D57} * counter[2];
        counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
                   static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
        key[0] += 0x9E3779B9;
        key[1] += 0xBB67AE85;
    }
    return counter;
}

std::uint64_t mix64(std::uint64_t z) {
    z += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

namespace {

// FNV-1a: a purpose's number must not change between builds, as std::hash may
std::uint64_t number_of(std::string_view purpose) {
    std::uint64_t hash = 0xCBF29CE484222325;
    for (unsigned char c : purpose)
        hash = (hash ^ c) * 0x100000001B3;
    return hash;
}

} // namespace

Random::Random(std::uint64_t seed, std::string_view purpose, std::uint64_t id) {
    std::uint64_t const key = mix64(mix64(seed) ^ number_of(purpose));
    key_ = {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)};
    counter_ = {0, 0, static_cast<std::uint32_t>(id), static_cast<std::uint32_t>(id >> 32)};
}

std::uint32_t Random::bits() {
    if (used_ == 4) {
        block_ = philox4x32(counter_, key_);
        used_ = 0;
        if (++counter_[0] == 0)
            ++counter_[1];
    }
    return block_[used_++];
}

double Random::uniform() {
    std::uint64_t const high = bits() >> 5;
    std::uint64_t const low = bits() >> 6;
    return static_cast<double>(high << 26 | low) * 0x1p-53;
}

std::uint64_t Random::below(std::uint64_t n) {
    // Reject the incomplete last multiple of n, else small results would be favoured
    std::uint64_t const limit = ~std::uint64_t{0} - (~std::uint64_t{0} % n + 1) % n;
    for (;;) {
        std::uint64_t const high = bits();
        std::uint64_t const draw = high << 32 | bits();
        if (draw <= limit)
            return draw % n;
    }
}

double Random::normal() {
    if (has_spare_) {
        has_spare_ = false;
        return spare_;
    }
    double const radius = std::sqrt(-2 * std::log1p(-uniform()));
    double const angle = 2 * std::numbers::pi * uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
}

std::vector<std::size_t> keyed_order(std::span<std::uint64_t const> ids, std::uint64_t seed) {
    std::vector<std::uint64_t> keys(ids.size());
    std::transform(ids.begin(), ids.end(), keys.begin(),
                   [mixed = mix64(seed)](std::uint64_t id) { return mix64(mixed ^ id); });
    std::vector<std::size_t> order(ids.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return std::pair(keys[a], ids[a]) < std::pair(keys[b], ids[b]);
    });
    return order;
}

} // namespace assay
