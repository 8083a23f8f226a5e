//! The interface of class-conditional image generators: what a stage knows of one.
#pragma once

#include "assay/model/batch.hpp"

#include "assay/model/torch.hpp"

#include <cstdint>
#include <vector>

namespace assay::model {

//! How samples are drawn. Families that draw in one step use the seed alone.
struct Sampling {
    std::uint64_t seed = 0;
    std::int64_t steps = 50; //!< evaluations along a diffusion's path (more: finer)
    double guidance = 1;     //!< 1: the conditional model; above: farther from the unconditional one
};

//! A generator in evaluation mode on one device. Local throughout.
class Generator {
  public:
    virtual ~Generator() = default;
    //! labels [B] int64 -> x [B, C, H, W] float32 in [0, 1]. Sample i depends on (seed, ids[i], labels[i])
    //! alone, up to the rounding of another batch size.
    virtual torch::Tensor sample(torch::Tensor const& labels, std::vector<std::uint64_t> const& ids,
                                 Sampling const& sampling) = 0;
    //! How badly the generator explains given samples: [B] float32, smaller = better explained, in the
    //! family's own units. Noise belongs to (seed, id, draw), so that generators trained on different data
    //! are compared under the same noise; `draws` > 0 is how many are averaged.
    virtual torch::Tensor score(Batch const& batch, std::uint64_t seed, std::int64_t draws) = 0;
};

} // namespace assay::model
