//! The interface of diffusion models: what a stage knows of one; and sampling from any of them.
#pragma once

#include "assay/model/batch.hpp"
#include "assay/model/redrawer.hpp"

#include "assay/model/torch.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace assay::model {

//! A denoising diffusion model (Ho et al. 2020) conditioned on a class label, in evaluation mode on one
//! device, with T steps. Local throughout.
class Diffusion {
  public:
    virtual ~Diffusion() = default;
    //! x [B, ...] float32, a sample as the data set holds it -> what noise is added to, [B, ...] float32: the
    //! sample between -1 and 1, or a latent.
    virtual torch::Tensor encode(torch::Tensor const& x) = 0;
    //! x_t [B, ...] float32, t [B] int64 in [0, T), label [B] int64 (kNullLabel: none) -> the noise in
    //! x_t as the model sees it, shaped like x_t.
    virtual torch::Tensor eps(torch::Tensor const& x_t, torch::Tensor const& t,
                              torch::Tensor const& label) = 0;
    //! [T] float32 in (0, 1), falling: the share of x_t's variance that is the sample's own.
    virtual torch::Tensor alphas_cumprod() = 0;
};

//! Local. Runs a trial batch through the model. Error(data), naming `origin` and what came back, unless
//! alphas_cumprod falls from at most 1 to below 0.5 in at least 100 steps (signals look at times a hundredth
//! apart); the noise is finite for the first and last step under the samples' labels, the last of `classes`
//! and the null label; the null label's differs from both; and encode() and eps() give the same again and
//! leave their inputs as they were.
void check_diffusion(Diffusion& model, Batch const& trial, std::int64_t classes, std::string const& origin);

//! Local. Mean squared error of the noise that the model sees at nine tenths of its steps, where almost all
//! is noise: near 0 for a trained model of the noise, near 1 for one that predicts something else (v, the
//! sample), has another schedule, or sees values in another range than in training.
double late_error(Diffusion& model, Batch const& batch);

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

//! Local. Samples [B, ...], as encode() gives them, noised up to a time and denoised from there under their
//! labels by the stochastic sampler (SDEdit, Meng et al. 2022; Song et al. 2021, Eq. 12 and 16 with eta = 1).
torch::Tensor redraw(Diffusion& model, torch::Tensor const& x, torch::Tensor const& label,
                     std::vector<std::uint64_t> const& ids, Redraw const& how);

} // namespace assay::model
