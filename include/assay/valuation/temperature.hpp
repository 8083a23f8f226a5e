//! From the distances of one neighbour list to the weights of its rows.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace assay::valuation {

//! How steeply a weight falls with distance.
enum class Temperature {
    perplexity, //!< per list: as many rows count as asked for (exp of the entropy)
    median_gap, //!< one for all lists: the median of (last - first distance)
    paper,      //!< 1, in units of the distance (Yang et al. 2025, eq. 5)
    uniform,    //!< all rows of the list alike: the limit of a large temperature
    top1,       //!< the nearest row alone: the limit 0
};

//! "perplexity", "median_gap", "paper", "uniform", "top1"; nothing for other names.
std::optional<Temperature> temperature_of(std::string_view name);
std::string_view to_string(Temperature mode);

struct Weighting {
    Temperature mode = Temperature::perplexity;
    double perplexity = 10; //!< wanted exp(entropy), at least 1
    double gap = 0;         //!< median_gap: that median; 0 gives uniform weights
};

//! Local. weights[r] = exp(-(d_r - d_0)/tau) / sum of the same, for distances d in ascending order, at least
//! one. Returns tau; infinity where the weights are uniform, 0 where ties with the nearest share all of it.
//! Without units but in `paper` mode: distances times a power of two give the same bits. Same bits on any
//! processor.
double weigh(Weighting const& weighting, std::span<double const> distances, std::span<double> weights);

//! exp(entropy): how many rows share the credit, from 1 to the number of weights.
double effective_number(std::span<double const> weights);

} // namespace assay::valuation
