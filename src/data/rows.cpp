#include "assay/data/rows.hpp"

#include <algorithm>
#include <bit>

namespace assay::data {

namespace {

constexpr std::size_t kBlock = 64; // words: a count per 512 bytes is 1.6 % more memory, and at() looks at 64

// The number of the n-th set bit of a word that has more than n
std::uint64_t nth_bit(std::uint64_t word, std::uint64_t n) {
    for (; n > 0; --n)
        word &= word - 1;
    return static_cast<std::uint64_t>(std::countr_zero(word));
}

} // namespace

Rows Rows::all(std::uint64_t count) {
    Rows rows;
    rows.size_ = count;
    return rows;
}

Rows::Rows(std::vector<std::uint64_t> words) : words_(std::move(words)) {
    for (std::size_t w = 0; w < words_.size(); ++w) {
        if (w % kBlock == 0)
            before_.push_back(size_);
        size_ += static_cast<std::uint64_t>(std::popcount(words_[w]));
    }
}

bool Rows::contains(std::uint64_t row) const {
    if (words_.empty())
        return row < size_;
    return row / 64 < words_.size() && (words_[row / 64] >> (row % 64) & 1) != 0;
}

std::uint64_t Rows::at(std::uint64_t position) const {
    if (words_.empty())
        return position;
    auto const block = std::upper_bound(before_.begin(), before_.end(), position) - before_.begin() - 1;
    std::uint64_t left = position - before_[static_cast<std::size_t>(block)];
    std::size_t word = static_cast<std::size_t>(block) * kBlock;
    for (;; ++word) {
        auto const here = static_cast<std::uint64_t>(std::popcount(words_[word]));
        if (left < here)
            return 64 * word + nth_bit(words_[word], left);
        left -= here;
    }
}

std::vector<std::uint64_t> Rows::between(std::uint64_t begin, std::uint64_t end) const {
    std::vector<std::uint64_t> rows;
    rows.reserve(end - begin);
    if (begin == end)
        return rows;
    rows.push_back(at(begin));
    while (rows.size() < end - begin) {
        std::uint64_t next = rows.back() + 1;
        while (!contains(next))
            ++next;
        rows.push_back(next);
    }
    return rows;
}

} // namespace assay::data
