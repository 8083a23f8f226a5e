// The two losses of the "gan" generator and its penalty
#include "model/gan.hpp"

#include <gtest/gtest.h>

#include <cmath>

using namespace assay;
using namespace assay::model;

namespace {

std::shared_ptr<Gan> small_gan() {
    job::Generator options;
    options.network = "gan";
    options.width = 8;
    options.latent = 4;
    return std::dynamic_pointer_cast<Gan>(
        make_generator(options, {10, {1, 8, 8}, data::SampleType::uint8, "NCHW", true}, 3, 1));
}

Batch batch_of(std::int64_t count) {
    Batch batch{{},
                (torch::arange(count * 64, torch::kFloat64) * 0.618034)
                    .frac()
                    .to(torch::kFloat32)
                    .reshape({count, 1, 8, 8}),
                torch::arange(count).remainder(3)};
    for (std::int64_t i = 0; i < count; ++i)
        batch.ids.push_back(static_cast<std::uint64_t>(i));
    return batch;
}

// Gradient of sum(loss) in a module's parameters, as one vector; 0 where the loss does not depend on one
torch::Tensor gradient_of(torch::Tensor const& loss, torch::nn::Module const& module) {
    torch::AutoGradMode const gradients(true);
    auto const parameters = module.parameters();
    auto const found = torch::autograd::grad({loss.sum()}, parameters, {}, /*retain_graph=*/true,
                                             /*create_graph=*/false, /*allow_unused=*/true);
    std::vector<torch::Tensor> parts;
    for (std::size_t i = 0; i < found.size(); ++i)
        parts.push_back(found[i].defined() ? found[i].flatten() : torch::zeros_like(parameters[i]).flatten());
    return torch::cat(parts);
}

} // namespace

// D(x) = sum w x^2 + b.x: the gradient is 2 w x + b
TEST(GradientPenalty, IsTheSquaredGradientAndDifferentiable) {
    torch::Tensor const w = torch::tensor({1.0, -2.0, 0.5}).requires_grad_();
    torch::Tensor const b = torch::tensor({0.3, 0.0, -1.0});
    torch::Tensor const x = torch::tensor({{0.1, 0.2, 0.3}, {-1.0, 0.5, 2.0}});
    for (bool gradients : {true, false}) {
        torch::AutoGradMode const mode(gradients);
        auto const [logits, penalty] = with_gradient_penalty(
            [&](torch::Tensor const& at) { return (w * at.square() + b * at).sum(1); }, x);
        torch::Tensor const gradient = (2 * w * x + b).detach();
        EXPECT_TRUE(torch::allclose(logits.detach(), (w * x.square() + b * x).sum(1).detach()));
        EXPECT_TRUE(torch::allclose(penalty.detach(), gradient.square().sum(1)));
        torch::AutoGradMode const differentiated(true);
        torch::Tensor const in_w = torch::autograd::grad({penalty.sum()}, {w})[0];
        EXPECT_TRUE(torch::allclose(in_w, (4 * x * gradient).sum(0)));
    }
}

TEST(GradientPenalty, OfTheDiscriminatorMatchesFiniteDifferences) {
    auto const gan = small_gan();
    gan->to(torch::kFloat64);
    Batch batch = batch_of(2);
    batch.x = batch.x.to(torch::kFloat64);
    auto const penalty = [&] {
        return with_gradient_penalty(
                   [&](torch::Tensor const& x) { return gan->discriminator().forward(x, batch.y); }, batch.x)
            .penalty;
    };
    // In the image
    torch::NoGradGuard const no_grad;
    double const h = 1e-6;
    torch::Tensor expected = torch::zeros({2}, torch::kFloat64);
    for (std::int64_t pixel = 0; pixel < 64; ++pixel) {
        torch::Tensor const shift = torch::zeros({64}, torch::kFloat64);
        shift[pixel] = h;
        torch::Tensor const step = shift.reshape({1, 1, 8, 8});
        expected += ((gan->discriminator().forward(batch.x + step, batch.y) -
                      gan->discriminator().forward(batch.x - step, batch.y)) /
                     (2 * h))
                        .square();
    }
    EXPECT_TRUE(torch::allclose(penalty().detach(), expected, 1e-5));
    // In the parameters: along one direction
    torch::Tensor const gradient = gradient_of(penalty(), gan->discriminator());
    auto const move = [&](double by) {
        for (torch::Tensor& parameter : gan->discriminator().parameters())
            parameter.add_(parameter.cos(), by);
    };
    std::vector<torch::Tensor> direction;
    for (torch::Tensor const& parameter : gan->discriminator().parameters())
        direction.push_back(parameter.cos().flatten());
    torch::Tensor const along = torch::cat(direction);
    double const small = 1e-7;
    move(small);
    double const above = penalty().sum().item<double>();
    move(-2 * small);
    double const below = penalty().sum().item<double>();
    double const slope = (gradient * along).sum().item<double>();
    EXPECT_NEAR((above - below) / (2 * small), slope, 1e-3 * std::abs(slope));
}

TEST(Gan, EachHalfFollowsItsOwnLossAlone) {
    auto const gan = small_gan();
    Batch const batch = batch_of(6);
    torch::Tensor const loss = gan->loss(batch, 7).loss;
    torch::Tensor const fake =
        gan->generator().forward(keyed_normals(batch.ids, {4}, 7, "latent", torch::kCPU), batch.y);
    auto const logits = [&](torch::Tensor const& x) { return gan->discriminator().forward(x, batch.y); };
    auto const [real, penalty] = with_gradient_penalty(logits, batch.x);
    // gamma = 1 on images in [-1, 1], whose gradients are half of those in [0, 1]
    torch::Tensor const discriminator_loss =
        torch::softplus(-real) + torch::softplus(logits(fake.detach())) + penalty / 8;
    torch::Tensor const generator_loss = torch::softplus(-logits(fake));
    EXPECT_TRUE(torch::allclose(loss, discriminator_loss + generator_loss, 1e-5));
    torch::Tensor const of_discriminator = gradient_of(discriminator_loss, gan->discriminator());
    torch::Tensor const of_generator = gradient_of(generator_loss, gan->generator());
    EXPECT_TRUE(torch::allclose(gradient_of(loss, gan->discriminator()), of_discriminator, 1e-4, 1e-6));
    EXPECT_TRUE(torch::allclose(gradient_of(loss, gan->generator()), of_generator, 1e-4, 1e-6));
    // What a careless sum would give is something else
    torch::Tensor const both = gradient_of(discriminator_loss + generator_loss, gan->discriminator());
    EXPECT_FALSE(torch::allclose(both, of_discriminator, 1e-2, 1e-4));
    for (torch::Tensor const& parameter : gan->parameters())
        EXPECT_TRUE(parameter.requires_grad());
}

TEST(Gan, AccuracyIsTheDiscriminatorsShareOfRightAnswers) {
    auto const gan = small_gan();
    torch::NoGradGuard const no_grad;
    gan->named_parameters()["discriminator.head.weight"].zero_();
    auto bias = gan->named_parameters()["discriminator.head.bias"];
    bias.copy_(torch::tensor({1.0, -1.0, 2.0})); // everything, or nothing, of a class is real
    EXPECT_TRUE(gan->loss(batch_of(6), 7).accuracy.eq(0.5).all().item<bool>());
    EXPECT_TRUE(torch::equal(gan->score(batch_of(3), 1, 1), torch::tensor({-1.F, 1.F, -2.F})));
}
