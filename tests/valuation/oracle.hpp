//! What the search must find, by a double loop: for tests of the search and of what is built on it.
#pragma once

#include "assay/valuation/features.hpp"
#include "assay/valuation/neighbours.hpp"
#include "assay/valuation/training_rows.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

namespace assay::valuation::test {

//! A matrix in memory.
struct Matrix {
    std::uint64_t rows = 0, width = 0;
    std::vector<float> values;

    std::span<float const> row(std::uint64_t r) const { return std::span(values).subspan(r * width, width); }
    FeatureMatrix features(std::string name) const {
        return {std::move(name), rows, width,
                [this](std::uint64_t begin, std::uint64_t count, std::span<float> out) {
                    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(begin * width), count * width,
                                out.begin());
                }};
    }
    QueryBlock block(std::uint64_t begin, std::uint64_t count) const {
        auto const first = values.begin() + static_cast<std::ptrdiff_t>(begin * width);
        return {"queries", begin, {first, first + static_cast<std::ptrdiff_t>(count * width)}};
    }
};

//! Eight partial sums, as the definition has them.
template <class Term>
double by_eights(std::uint64_t width, Term term) {
    double s[8] = {};
    for (std::uint64_t c = 0; c < width; ++c)
        s[c % 8] = s[c % 8] + term(c);
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

inline double key_of(Distance distance, std::span<float const> x, std::span<float const> y) {
    if (distance == Distance::inner_product)
        return 0 - by_eights(x.size(), [&](std::uint64_t c) { return double{x[c]} * double{y[c]}; });
    double const squared = by_eights(x.size(), [&](std::uint64_t c) {
        double const difference = double{x[c]} - double{y[c]};
        return difference * difference;
    });
    return distance == Distance::cosine ? squared / 2 : squared;
}

//! Rows divided by their norms.
inline Matrix normalised(Matrix matrix) {
    for (std::uint64_t r = 0; r < matrix.rows; ++r) {
        auto const row = matrix.row(r);
        double const norm = std::sqrt(
            by_eights(matrix.width, [&](std::uint64_t c) { return double{row[c]} * double{row[c]}; }));
        for (std::uint64_t c = 0; c < matrix.width; ++c)
            matrix.values[r * matrix.width + c] = static_cast<float>(double{row[c]} / norm);
    }
    return matrix;
}

//! The k nearest rows of every query, by sorting all of them.
inline Neighbours brute_force(Distance distance, Matrix training, Matrix queries, std::int64_t k) {
    if (distance == Distance::cosine) {
        training = normalised(std::move(training));
        queries = normalised(std::move(queries));
    }
    Neighbours all{k, {}, {}};
    for (std::uint64_t q = 0; q < queries.rows; ++q) {
        std::vector<std::pair<double, std::int64_t>> keys;
        for (std::uint64_t r = 0; r < training.rows; ++r)
            keys.emplace_back(key_of(distance, training.row(r), queries.row(q)), r);
        std::sort(keys.begin(), keys.end());
        for (std::int64_t i = 0; i < k; ++i) {
            auto const [key, row] = keys[static_cast<std::size_t>(i)];
            all.rows.push_back(row);
            all.distances.push_back(distance == Distance::l2 ? std::sqrt(key) : key);
        }
    }
    return all;
}

inline bool same_bytes(Neighbours const& a, Neighbours const& b) {
    return a.k == b.k && a.rows == b.rows && a.distances.size() == b.distances.size() &&
           std::memcmp(a.distances.data(), b.distances.data(), a.distances.size() * sizeof(double)) == 0;
}

} // namespace assay::valuation::test
