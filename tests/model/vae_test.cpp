// The bound and the code of the "vae" generator, against closed forms and integrals
#include "assay/model/encoder.hpp"
#include "assay/model/generator_networks.hpp"
#include "assay/model/redrawer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

using namespace assay;
using namespace assay::model;

namespace {

// One latent number, images [1, 2, 2], 2 classes
std::shared_ptr<GeneratorNetwork> small_vae() {
    job::Generator options;
    options.network = "vae";
    options.width = 6;
    options.latent = 1;
    auto network = make_generator(options, {10, {1, 2, 2}, data::SampleType::float32, "NCHW", true}, 2, 3);
    network->eval();
    return network;
}

Batch batch_of(std::int64_t count) {
    Batch batch{{},
                (torch::arange(count * 4, torch::kFloat32) * 0.618034).frac().reshape({count, 1, 2, 2}),
                torch::arange(count).remainder(2)};
    for (std::int64_t i = 0; i < count; ++i)
        batch.ids.push_back(static_cast<std::uint64_t>(i));
    return batch;
}

// Of p(z | label)
double prior_mean(std::int64_t label) {
    return label == 0 ? -0.3 : 0.8;
}
constexpr double kPriorVariance = 1.5;

// KL(N(mean, variance) || p(z | label))
double divergence(double mean, double variance, std::int64_t label) {
    double const ratio = variance / kPriorVariance, distance = mean - prior_mean(label);
    return 0.5 * (ratio + distance * distance / kPriorVariance - 1 - std::log(ratio));
}

// Makes q(z | x) the same normal for all x, and fixes the priors
void fix_normals(GeneratorNetwork& network, double mean, double log_variance) {
    torch::NoGradGuard const no_grad;
    auto parameters = network.named_parameters();
    for (std::int64_t label : {0, 1})
        parameters["prior"][label].copy_(torch::tensor({prior_mean(label), std::log(kPriorVariance)}));
    parameters["posterior.weight"].zero_();
    parameters["posterior.bias"].copy_(torch::tensor({mean, log_variance}));
}

// p(x | z, label) of the decoder, by hand: [4]
torch::Tensor decoded(GeneratorNetwork const& network, double z, std::int64_t label) {
    auto const layer = [&](std::string const& name, torch::Tensor const& x) {
        auto parameters = network.named_parameters();
        return parameters[name + ".weight"].matmul(x) + parameters[name + ".bias"];
    };
    torch::NoGradGuard const no_grad;
    torch::Tensor const input = torch::tensor({z, label == 0 ? 1.0 : 0.0, label == 1 ? 1.0 : 0.0});
    torch::Tensor const h = layer("decoder1", input.to(torch::kFloat32)).relu();
    return layer("pixels", layer("decoder2", h).relu()).sigmoid();
}

double cross_entropy(torch::Tensor const& x, torch::Tensor const& p) {
    return -(x * p.log() + (1 - x) * (1 - p).log()).sum().item<double>();
}

double normal_density(double z, double mean, double variance) {
    return std::exp(-(z - mean) * (z - mean) / (2 * variance)) / std::sqrt(2 * std::numbers::pi * variance);
}

} // namespace

TEST(Vae, RedrawsWhatTheMeanOfTheCodeIsDecodedTo) {
    auto const network = small_vae();
    fix_normals(*network, 0.7, std::log(0.25));
    Batch const batch = batch_of(3);
    torch::Tensor const images =
        dynamic_cast<Redrawer&>(*network).redraw_images(batch.x, batch.y, batch.ids, {});
    ASSERT_EQ(images.sizes(), batch.x.sizes());
    for (std::int64_t i = 0; i < 3; ++i)
        EXPECT_TRUE(torch::allclose(images[i].flatten(), decoded(*network, 0.7, i % 2), 1e-5, 1e-6)) << i;
}

TEST(Vae, BoundIsClosedWhereTheCodeIsNotUsed) {
    auto const network = small_vae();
    fix_normals(*network, 0.7, std::log(0.25));
    {
        torch::NoGradGuard const no_grad;
        network->named_parameters()["pixels.weight"].zero_();
        network->named_parameters()["pixels.bias"].copy_(torch::tensor({-1.0, 0.0, 0.5, 2.0}));
    }
    Batch const batch = batch_of(3);
    torch::Tensor const p = torch::tensor({-1.0, 0.0, 0.5, 2.0}).sigmoid();
    torch::Tensor const loss = network->loss(batch, 1).loss;
    for (std::int64_t i = 0; i < 3; ++i)
        EXPECT_NEAR(loss[i].item<double>(),
                    cross_entropy(batch.x[i].flatten(), p) + divergence(0.7, 0.25, i % 2), 1e-4);
}

TEST(Vae, ScoreIsTheIntegralOverThePosteriorAndBoundsTheLikelihood) {
    auto const network = small_vae();
    double const mean = 0.4, variance = 0.5;
    fix_normals(*network, mean, std::log(variance));
    auto& encoder = dynamic_cast<Encoder&>(*network);
    Batch const batch = batch_of(2);
    torch::Tensor const score = network->score(batch, 1, 20000);
    for (std::int64_t i = 0; i < 2; ++i) {
        torch::Tensor const x = batch.x[i].flatten().to(torch::kFloat64);
        EXPECT_NEAR(encoder.encode(batch.x)[i].item<double>(), mean, 1e-6);
        double reconstruction = 0, likelihood = 0;
        double const step = 0.01;
        for (double z = -8; z < 8; z += step) {
            double const entropy = cross_entropy(x, decoded(*network, z, i).to(torch::kFloat64));
            reconstruction += step * normal_density(z, mean, variance) * entropy;
            likelihood += step * normal_density(z, prior_mean(i), kPriorVariance) * std::exp(-entropy);
        }
        EXPECT_NEAR(score[i].item<double>(), reconstruction + divergence(mean, variance, i), 0.02);
        EXPECT_GT(score[i].item<double>(), -std::log(likelihood));
    }
}

TEST(Vae, SamplesAreTheDecodersMeansOfDrawsFromThePrior) {
    auto const network = small_vae();
    fix_normals(*network, 0, 0);
    std::vector<std::uint64_t> const ids = {4, 9};
    torch::Tensor const noise = keyed_normals(ids, {1}, 6, "latent", torch::kCPU);
    torch::Tensor const x = network->sample(torch::tensor({1, 0}, torch::kInt64), ids, {.seed = 6});
    for (std::int64_t i = 0; i < 2; ++i)
        EXPECT_TRUE(torch::allclose(
            x[i].flatten(),
            decoded(*network, prior_mean(1 - i) + std::sqrt(kPriorVariance) * noise[i].item<double>(),
                    1 - i)));
}

TEST(Vae, CodeIsTheMeanAndDependsOnTheImage) {
    auto const network = small_vae();
    auto& encoder = dynamic_cast<Encoder&>(*network);
    Batch const batch = batch_of(3);
    torch::Tensor const code = encoder.encode(batch.x);
    EXPECT_EQ(code.sizes(), (std::vector<std::int64_t>{3, 1}));
    EXPECT_TRUE(torch::equal(code, encoder.encode(batch.x)));
    EXPECT_FALSE(torch::allclose(code[0], code[1], 1e-3, 1e-4));
}
