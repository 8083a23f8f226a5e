//! Built-in diffusion models of images, for reproduction.
#pragma once

#include "assay/data/dataset.hpp"
#include "assay/job/job.hpp"
#include "assay/model/diffusion.hpp"
#include "assay/model/generator_networks.hpp"

namespace assay::model {

//! Trained by the denoising loss at a time drawn for each sample; a tenth of the samples come without their
//! label. Values outside [0, 1] are an Error(data).
class DiffusionNetwork : public GeneratorNetwork, public Diffusion {};

//! Local. "ddpm" (the U-Net of make_generator()) or "ddpm_mlp" (a residual perceptron over all pixels, for
//! CPUs), both conditioned on one of `classes` labels, with 1,000 steps of the cosine schedule, of images
//! averaged over squares of train.pool pixels; parameters are a function of `seed` alone. Error(usage) for
//! samples that the network cannot take.
std::shared_ptr<DiffusionNetwork> make_diffusion(job::Network const& train, data::DatasetInfo const& info,
                                                 std::int64_t classes, std::uint64_t seed);

} // namespace assay::model
