#include "assay/model/generator_networks.hpp"

#include "assay/base/error.hpp"
#include "model/generator_families.hpp"

namespace assay::model {

namespace {

// gan and ddpm halve the sides twice
ImageShape image_shape(std::string const& network, data::DatasetInfo const& info) {
    auto const& shape = info.sample_shape;
    std::uint64_t const unit = network == "vae" ? 1 : 4;
    if (shape.size() != 3 || shape[1] % unit != 0 || shape[2] % unit != 0)
        fail(Exit::usage,
             "generator.network=\"{}\" (needs images [C, H, W] with sides that {} divides; samples are {}). "
             "Bring the samples to another shape{}",
             network, unit, fmt::join(shape, "x"), shape.size() == 3 ? ", or use \"vae\"" : "");
    auto const side = [&](std::size_t axis) { return static_cast<std::int64_t>(shape[axis]); };
    return {side(0), side(1), side(2)};
}

} // namespace

void check_unit_interval(torch::Tensor const& x) {
    double const low = x.min().item<double>(), high = x.max().item<double>();
    if (!(low >= 0 && high <= 1))
        fail(Exit::data,
             "samples reach from {} to {} (built-in generators and diffusion models take values in [0, 1]). "
             "Import bytes, or scale the values, and leave dataset.mean and dataset.deviation out",
             low, high);
}

std::shared_ptr<GeneratorNetwork> make_generator(job::Generator const& options, data::DatasetInfo const& info,
                                                 std::int64_t classes, std::uint64_t seed) {
    ImageShape const image = image_shape(options.network, info);
    auto const or_own = [](std::int64_t wanted, std::int64_t own) { return wanted ? wanted : own; };
    std::shared_ptr<GeneratorNetwork> network;
    if (options.network == "vae")
        network = make_vae(image, or_own(options.width, 512), or_own(options.latent, 32), classes);
    else if (options.network == "gan")
        network = make_gan(image, or_own(options.width, 32), or_own(options.latent, 64), classes);
    else
        network = make_ddpm(image, or_own(options.width, 32), options.timesteps, classes);
    initialise(*network, seed);
    return network;
}

} // namespace assay::model
