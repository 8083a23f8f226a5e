//! The interface of diffusion models: what a stage knows of one; and sampling from any of them.
#pragma once

#include "assay/model/torch.hpp"

#include <cstdint>

namespace assay::model {

//! A denoising diffusion model (Ho et al. 2020) of data in [-1, 1], in evaluation mode on one device, with T
//! steps. Local throughout.
class Diffusion {
  public:
    virtual ~Diffusion() = default;
    //! x_t [B, C, H, W] float32, t [B] int64 in [0, T), label [B] int64 (kNullLabel: none) -> the noise in
    //! x_t as the model sees it, shaped like x_t.
    virtual torch::Tensor eps(torch::Tensor const& x_t, torch::Tensor const& t,
                              torch::Tensor const& label) = 0;
    //! [T] float32 in (0, 1), falling: the share of x_t's variance that is the sample's own.
    virtual torch::Tensor alphas_cumprod() = 0;
};

//! Local. The cosine schedule (Nichol and Dhariwal 2021, Eq. 17): alphas_cumprod [steps].
torch::Tensor cosine_schedule(std::int64_t steps);

//! Local. x_t = sqrt(a_t) x + sqrt(1 - a_t) noise (Ho et al. 2020, Eq. 4), t [B] int64.
torch::Tensor add_noise(torch::Tensor const& x, torch::Tensor const& noise, torch::Tensor const& t,
                        torch::Tensor const& alphas_cumprod);

//! Local. Mean over a sample's values of (eps(x_t, t, label) - noise)^2: [B], differentiable.
torch::Tensor denoising_loss(Diffusion& model, torch::Tensor const& x, torch::Tensor const& noise,
                             torch::Tensor const& t, torch::Tensor const& label);

//! Local. From noise x_T [B, ...] to samples in [-1, 1] along `steps` of the T steps, evenly spaced from T -
//! 1 down (DDIM with eta = 0; Song et al. 2021, Eq. 12). Each estimate of the sample is clipped to [-1, 1].
//! Classifier-free guidance: eps = eps_null + guidance (eps_label - eps_null) (Ho and Salimans 2022).
//! Error(usage) unless 1 <= steps <= T.
torch::Tensor ddim_sample(Diffusion& model, torch::Tensor const& noise, torch::Tensor const& label,
                          std::int64_t steps, double guidance);

} // namespace assay::model
