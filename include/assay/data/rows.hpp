//! Which rows of a file: all of them, or a choice at one bit per row of the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace assay::data {

//! An ascending set of rows. Local; copies share nothing, and cost 1/8 byte per row of the file unless all
//! rows are in.
class Rows {
  public:
    //! None.
    Rows() = default;
    //! 0, 1, ..., count - 1.
    static Rows all(std::uint64_t count);
    //! The rows whose bits are set: row r is bit r % 64 of word r / 64.
    explicit Rows(std::vector<std::uint64_t> words);

    std::uint64_t size() const { return size_; }
    bool contains(std::uint64_t row) const;
    //! The row at `position` < size() of the ascending order.
    std::uint64_t at(std::uint64_t position) const;
    //! The rows at positions [begin, end).
    std::vector<std::uint64_t> between(std::uint64_t begin, std::uint64_t end) const;

  private:
    std::uint64_t size_ = 0;
    std::vector<std::uint64_t> words_;  // empty: the first size_ rows
    std::vector<std::uint64_t> before_; // set bits before every kBlock-th word
};

//! Calls visit(first row, number of rows, position in the list) for each run of consecutive rows in a list:
//! what one read can fetch.
template <class Visit>
void for_each_run(std::span<std::uint64_t const> rows, Visit visit) {
    for (std::size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
        for (end = begin + 1; end < rows.size() && rows[end] == rows[end - 1] + 1;)
            ++end;
        visit(rows[begin], end - begin, begin);
    }
}

} // namespace assay::data
