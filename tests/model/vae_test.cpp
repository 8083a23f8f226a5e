// The bound and the code of the "vae" generator, against closed forms and integrals
#include "assay/model/autoencoder.hpp"
#include "assay/model/generator_networks.hpp"

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

Batch batch_without_labels(std::int64_t count) {
    Batch batch{{},
                (torch::arange(count * 4, torch::kFloat32) * 0.618034).frac().reshape({count, 1, 2, 2}),
                torch::full({count}, kNullLabel, torch::kInt64)};
    for (std::int64_t i = 0; i < count; ++i)
        batch.ids.push_back(static_cast<std::uint64_t>(i));
    return batch;
}

// Makes q(z | x) the same normal for all x
void fix_posterior(GeneratorNetwork& network, double mean, double log_variance) {
    torch::NoGradGuard const no_grad;
    auto parameters = network.named_parameters();
    parameters["posterior.weight"].zero_();
    parameters["posterior.bias"].copy_(torch::tensor({mean, log_variance}));
}

double cross_entropy(torch::Tensor const& x, torch::Tensor const& p) {
    return -(x * p.log() + (1 - x) * (1 - p).log()).sum().item<double>();
}

double normal_density(double z, double mean, double variance) {
    return std::exp(-(z - mean) * (z - mean) / (2 * variance)) / std::sqrt(2 * std::numbers::pi * variance);
}

} // namespace

TEST(Vae, BoundIsClosedWhereTheCodeIsNotUsed) {
    auto const network = small_vae();
    fix_posterior(*network, 0.7, std::log(0.25));
    {
        torch::NoGradGuard const no_grad;
        network->named_parameters()["pixels.weight"].zero_();
        network->named_parameters()["pixels.bias"].copy_(torch::tensor({-1.0, 0.0, 0.5, 2.0}));
    }
    Batch const batch = batch_without_labels(3);
    torch::Tensor const p = torch::tensor({-1.0, 0.0, 0.5, 2.0}).sigmoid();
    double const divergence = 0.5 * (0.49 + 0.25 - std::log(0.25) - 1);
    torch::Tensor const loss = network->loss(batch, 1).loss;
    for (std::int64_t i = 0; i < 3; ++i)
        EXPECT_NEAR(loss[i].item<double>(), cross_entropy(batch.x[i].flatten(), p) + divergence, 1e-5);
}

TEST(Vae, ScoreIsTheIntegralOverThePosteriorAndBoundsTheLikelihood) {
    auto const network = small_vae();
    double const mean = 0.4, variance = 0.5;
    fix_posterior(*network, mean, std::log(variance));
    auto& autoencoder = dynamic_cast<Autoencoder&>(*network);
    Batch const batch = batch_without_labels(2);
    torch::Tensor const score = network->score(batch, 1, 20000);
    for (std::int64_t i = 0; i < 2; ++i) {
        torch::Tensor const x = batch.x[i].flatten().to(torch::kFloat64);
        EXPECT_NEAR(autoencoder.encode(batch.x)[i].item<double>(), mean, 1e-6);
        double reconstruction = 0, likelihood = 0;
        double const step = 0.01;
        for (double z = -8; z < 8; z += step) {
            torch::Tensor const p =
                autoencoder.decode(torch::full({1, 1}, z)).flatten().to(torch::kFloat64).detach();
            double const entropy = cross_entropy(x, p);
            reconstruction += step * normal_density(z, mean, variance) * entropy;
            likelihood += step * normal_density(z, 0, 1) * std::exp(-entropy);
        }
        double const divergence = 0.5 * (mean * mean + variance - std::log(variance) - 1);
        EXPECT_NEAR(score[i].item<double>(), reconstruction + divergence, 0.02);
        EXPECT_GT(score[i].item<double>(), -std::log(likelihood));
    }
}

TEST(Vae, CodeIsTheMeanAndDependsOnTheImage) {
    auto const network = small_vae();
    auto& autoencoder = dynamic_cast<Autoencoder&>(*network);
    Batch const batch = batch_without_labels(3);
    torch::Tensor const code = autoencoder.encode(batch.x);
    EXPECT_EQ(code.sizes(), (std::vector<std::int64_t>{3, 1}));
    EXPECT_TRUE(torch::equal(code, autoencoder.encode(batch.x)));
    EXPECT_FALSE(torch::allclose(code[0], code[1], 1e-3, 1e-4));
    EXPECT_EQ(autoencoder.decode(code).sizes(), batch.x.sizes());
}
