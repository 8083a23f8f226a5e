//! Built-in class-conditional generators of images with values in [0, 1].
#pragma once

#include "assay/data/dataset.hpp"
#include "assay/job/job.hpp"
#include "assay/model/generator.hpp"
#include "assay/model/network.hpp"

#include <memory>

namespace assay::model {

//! Trained by its family's loss; labels are needed. Every loss throws Error(data) for values outside [0, 1].
class GeneratorNetwork : public Network, public Generator {};

//! Local. A generator of one of `classes` labels, its parameters a function of `seed` alone:
//! - "vae": variational autoencoder whose decoder and prior depend on the label (Kingma and Welling 2014;
//! Sohn
//!   et al. 2015), also an Encoder (mean of the posterior). score: minus the evidence lower bound (nat per
//!   image), Bernoulli pixels;
//! - "gan": non-saturating loss and gradient penalty R1 (Mescheder et al. 2018). score: minus the
//!   discriminator's logit of "real", no likelihood; nothing is drawn;
//! - "ddpm": denoising diffusion with a small U-Net (Ho et al. 2020), also a Diffusion; a tenth of its
//! training
//!   samples come without their label. score: mean denoising loss at `draws` times, evenly spread.
//! Error(usage) for samples that the network cannot take.
std::shared_ptr<GeneratorNetwork> make_generator(job::Generator const& options, data::DatasetInfo const& info,
                                                 std::int64_t classes, std::uint64_t seed);

} // namespace assay::model
