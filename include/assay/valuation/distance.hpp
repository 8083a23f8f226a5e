//! Distances between rows of features, exact: the same bits on every machine, whatever multiplied matrices
//! before. Local throughout.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace assay::valuation {

enum class Distance {
    l2,            //!< sqrt(sum of (x - y)^2)
    squared_l2,    //!< sum of (x - y)^2
    cosine,        //!< 1 - <x,y>/(|x||y|), as half the squared L2 of the normalised rows
    inner_product, //!< -<x,y>: the larger the product, the nearer
};

//! "l2", "squared_l2", "cosine", "inner_product", as in job files.
std::string_view name_of(Distance distance);
//! Error(usage) for any other name.
Distance distance_named(std::string_view name);

//! What neighbours are ordered by: the squared L2 of two rows (l2, squared_l2), half of it (cosine; of rows
//! normalised before), -<x,y> (inner product). In double precision, 8 partial sums over columns c mod 8 in
//! ascending c, added as ((s0+s1)+(s2+s3))+((s4+s5)+(s6+s7)), every operation rounded by itself.
double exact_key(Distance distance, std::span<float const> x, std::span<float const> y);
//! The distance that a key stands for: the square root for l2, else the key. Taken last, since it would merge
//! distinct keys.
double distance_of(Distance distance, double key);

//! By how much `bias_i + scale <x_i, y>` in single precision, summed in any order, can miss its exact value,
//! where bias and scale are |x|^2 and -2 (0 and -1 for inner product): (gamma_d + 4u) (|y| + max |x|)^2, with
//! 2 |y| max |x| in place of the square for inner product; gamma_d = d u / (1 - d u), u = 2^-24 (Higham,
//! Accuracy and Stability of Numerical Algorithms, section 3.1). That is twice what d - 1 additions need, and
//! leaves room for those a BLAS adds, one per block of columns, and for the rounding of exact_key().
//! Products below the normal range count as lost.
double rounding_bound(Distance distance, std::uint64_t width, double query_norm, double largest_norm);

//! Makes a row ready for exact_key(): values too small for a normal float become 0, so that no processor mode
//! changes a result; for cosine the row is divided by its norm (in double precision, rounded to float).
//! Error(data) naming `matrix` and `row` for a value that is not finite, a norm that single precision cannot
//! square, and for cosine a row without any direction.
void prepare_row(Distance distance, std::span<float> values, std::string_view matrix, std::uint64_t row);

//! |x|^2, summed as in exact_key().
double squared_norm(std::span<float const> x);

} // namespace assay::valuation
