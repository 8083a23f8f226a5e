//! The interface of models that draw a given image anew: its like, not itself.
#pragma once

#include "assay/model/torch.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace assay::model {

//! How samples are redrawn, where that can be chosen, and what the noise belongs to.
struct Redraw {
    double strength = 0.5;   //!< diffusion: up to which share of the T steps noise is added, in (0, 1]
    std::int64_t steps = 12; //!< of sampling, back from there; 1 <= steps <= strength T
    std::uint64_t seed = 0;
    std::string purpose; //!< noise belongs to (seed, purpose, id)
};

//! In evaluation mode on one device. Local.
class Redrawer {
  public:
    virtual ~Redrawer() = default;
    //! x [B, C, H, W] float32 in [0, 1], label [B] int64 -> images [B, C, H, W] in [0, 1].
    virtual torch::Tensor redraw_images(torch::Tensor const& x, torch::Tensor const& label,
                                        std::vector<std::uint64_t> const& ids, Redraw const& how) = 0;
};

} // namespace assay::model
