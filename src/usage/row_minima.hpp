// Minima of many functions at once
#pragma once

#include "assay/model/torch.hpp"

#include <functional>

namespace assay::usage {

// Rows found by minimise().
struct RowMinima {
    torch::Tensor value; // [B]
    torch::Tensor at;    // [B, ...]
};

// Local. `steps` steps of L-BFGS (Liu and Nocedal 1989) from 0, each row of [B, ...] by itself, without line
// search, the first step no longer than 1: what torch's optimiser does to one row alone. `f` gives [B],
// differentiable. A row goes no further once its next place or gradient is not finite.
RowMinima minimise(std::function<torch::Tensor(torch::Tensor const&)> const& f, torch::IntArrayRef shape,
                   torch::TensorOptions const& options, int steps);

} // namespace assay::usage
