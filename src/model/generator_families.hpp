// The families behind make_generator(), and what they share
#pragma once

#include "assay/model/generator_networks.hpp"

namespace assay::model {

// What a family is built from
struct ImageShape {
    std::int64_t channels = 1, height = 0, width = 0;
    std::int64_t elements() const { return channels * height * width; }
};

std::shared_ptr<GeneratorNetwork> make_vae(ImageShape const& image, std::int64_t width, std::int64_t latent,
                                           std::int64_t classes);
std::shared_ptr<GeneratorNetwork> make_gan(ImageShape const& image, std::int64_t width, std::int64_t latent,
                                           std::int64_t classes);
std::shared_ptr<GeneratorNetwork> make_ddpm(ImageShape const& image, std::int64_t width,
                                            std::int64_t timesteps, std::int64_t classes);

// Error(data) unless all values of a batch lie in [0, 1], where generators learn
void check_unit_interval(torch::Tensor const& x);

} // namespace assay::model
