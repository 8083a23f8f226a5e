//! Small statistics over plain arrays; sums run in index order, so results do not depend on threads or ranks.
#pragma once

#include <span>
#include <vector>

namespace assay {

//! Arithmetic mean; 0 for an empty array.
double mean(std::span<double const> x);
//! Sample standard deviation (n - 1); 0 for fewer than two values.
double sd(std::span<double const> x);
//! Sample covariance (n - 1) of two arrays of one length; 0 for fewer than two values.
double covariance(std::span<double const> x, std::span<double const> y);
//! Quantile of an ascending array at level in [0, 1], linear between order statistics (R type 7); not empty.
double quantile_sorted(std::span<double const> ascending, double level);
//! The same of an array in any order, at ascending levels, in linear time.
std::vector<double> quantiles(std::vector<double> x, std::span<double const> levels);
//! A sorted copy.
std::vector<double> sorted(std::span<double const> x);
//! The non-decreasing sequence nearest to y in least squares (pool adjacent violators), in linear time.
std::vector<double> isotonic(std::span<double const> y);
//! P(a > b) + P(a = b)/2 for a, b drawn from two non-empty samples (area under the ROC curve), by ranks.
double auc(std::span<double const> positives, std::span<double const> negatives);
//! Standard error of auc() (Hanley and McNeil 1982).
double auc_se(double auc, std::size_t n_positive, std::size_t n_negative);

} // namespace assay
