#include "assay/model/generator_networks.hpp"

#include "data/fixtures.hpp"

#include <set>

using namespace assay;
using namespace assay::model;
using data::test::error_of;
using data::test::expect_in;

namespace {

constexpr std::int64_t kClasses = 3;
char const* const kAll[] = {"vae", "gan", "ddpm"};

job::Generator options(std::string const& network) {
    job::Generator generator;
    generator.network = network;
    generator.width = 8;
    generator.latent = 5;
    generator.timesteps = 20;
    return generator;
}

data::DatasetInfo images(std::uint64_t channels, std::uint64_t height, std::uint64_t width) {
    return {10, {channels, height, width}, data::SampleType::uint8, "NCHW", true};
}

std::shared_ptr<GeneratorNetwork> made(std::string const& network, std::uint64_t seed = 1) {
    auto made = make_generator(options(network), images(2, 8, 12), kClasses, seed);
    made->eval();
    return made;
}

// Pseudo-random images in [0, 1)
Batch batch_of(std::int64_t count) {
    torch::Tensor const x = (torch::arange(count * 192, torch::kFloat64) * 0.618034).frac();
    Batch batch{{}, x.to(torch::kFloat32).reshape({count, 2, 8, 12}), torch::arange(count).remainder(3)};
    for (std::int64_t i = 0; i < count; ++i)
        batch.ids.push_back(static_cast<std::uint64_t>(100 + i));
    return batch;
}

Batch slice(Batch const& batch, std::int64_t begin, std::int64_t end) {
    return {{batch.ids.begin() + begin, batch.ids.begin() + end},
            batch.x.slice(0, begin, end),
            batch.y.slice(0, begin, end)};
}

} // namespace

TEST(GeneratorNetworks, SampleImagesInTheUnitInterval) {
    for (char const* name : kAll) {
        SCOPED_TRACE(name);
        auto const network = made(name);
        Batch const batch = batch_of(6);
        torch::Tensor const x = network->sample(batch.y, batch.ids, {.seed = 4, .steps = 5, .guidance = 2});
        EXPECT_EQ(x.sizes(), batch.x.sizes());
        EXPECT_EQ(x.scalar_type(), torch::kFloat32);
        EXPECT_FALSE(x.requires_grad());
        EXPECT_GE(x.min().item<float>(), 0);
        EXPECT_LE(x.max().item<float>(), 1);
    }
}

TEST(GeneratorNetworks, ASampleBelongsToSeedIdAndLabel) {
    for (char const* name : kAll) {
        SCOPED_TRACE(name);
        auto const network = made(name);
        Batch const batch = batch_of(7);
        auto const sample = [&](Batch const& of, std::uint64_t seed) {
            return network->sample(of.y, of.ids, {.seed = seed, .steps = 5, .guidance = 1.5});
        };
        torch::Tensor const all = sample(batch, 4);
        for (std::int64_t i = 0; i < 7; ++i)
            EXPECT_TRUE(torch::allclose(sample(slice(batch, i, i + 1), 4)[0], all[i], 1e-4, 1e-5)) << i;
        EXPECT_FALSE(torch::allclose(all[0], all[3], 1e-4, 1e-5)); // of one class, with other ids
        EXPECT_FALSE(torch::allclose(all, sample(batch, 5), 1e-4, 1e-5));
        Batch relabelled = batch;
        relabelled.y = (batch.y + 1).remainder(3);
        EXPECT_FALSE(torch::allclose(all[0], sample(relabelled, 4)[0], 1e-4, 1e-5));
    }
}

TEST(GeneratorNetworks, ALossBelongsToItsSampleAndTheDraws) {
    for (char const* name : kAll) {
        SCOPED_TRACE(name);
        auto const network = made(name);
        for (bool training : {false, true}) {
            network->train(training);
            Batch const batch = batch_of(9);
            torch::Tensor const all = network->loss(batch, 5).loss;
            ASSERT_EQ(all.sizes(), (std::vector<std::int64_t>{9}));
            EXPECT_TRUE(all.isfinite().all().item<bool>());
            torch::Tensor const some = network->loss(slice(batch, 2, 6), 5).loss;
            EXPECT_TRUE(torch::allclose(some, all.slice(0, 2, 6), 1e-4, 1e-5));
            EXPECT_FALSE(torch::allclose(network->loss(batch, 6).loss, all, 1e-4, 1e-5));
        }
    }
}

TEST(GeneratorNetworks, ALossReachesEveryParameter) {
    for (char const* name : kAll) {
        SCOPED_TRACE(name);
        auto const network = made(name);
        network->train();
        network->loss(batch_of(40), 5).loss.sum().backward();
        for (auto const& parameter : network->named_parameters()) {
            torch::Tensor const gradient = parameter.value().grad();
            ASSERT_TRUE(gradient.defined()) << parameter.key();
            EXPECT_TRUE(gradient.isfinite().all().item<bool>()) << parameter.key();
            EXPECT_GT(gradient.abs().max().item<float>(), 0) << parameter.key();
        }
    }
}

TEST(GeneratorNetworks, ALossNeedsNoGradientsToBeComputed) {
    for (char const* name : kAll) {
        SCOPED_TRACE(name);
        auto const network = made(name);
        torch::Tensor const with = network->loss(batch_of(4), 5).loss.detach();
        torch::NoGradGuard const no_grad;
        EXPECT_TRUE(torch::allclose(network->loss(batch_of(4), 5).loss, with, 1e-5, 1e-6));
    }
}

TEST(GeneratorNetworks, AScoreIsTheMeanOverItsDrawsUnderTheSameNoiseForAll) {
    for (char const* name : kAll) {
        SCOPED_TRACE(name);
        auto const network = made(name);
        Batch const batch = batch_of(5);
        torch::Tensor const score = network->score(batch, 3, 10);
        EXPECT_EQ(score.sizes(), (std::vector<std::int64_t>{5}));
        EXPECT_TRUE(torch::equal(score, network->score(batch, 3, 10)));
        EXPECT_TRUE(torch::allclose(score.slice(0, 1, 3), network->score(slice(batch, 1, 3), 3, 10), 1e-4));
        if (name == std::string("gan"))
            continue; // draws nothing
        EXPECT_FALSE(torch::equal(score, network->score(batch, 4, 10)));
        // More draws, less spread between seeds: 100 against 1 should leave about a tenth
        auto const spread = [&](std::int64_t draws) {
            std::vector<torch::Tensor> scores;
            for (std::uint64_t seed = 0; seed < 12; ++seed)
                scores.push_back(network->score(batch, seed, draws));
            return torch::stack(scores).std(0).mean().item<double>();
        };
        EXPECT_LT(spread(100), 0.3 * spread(1));
    }
}

TEST(GeneratorNetworks, ParametersDependOnTheSeedAlone) {
    for (char const* name : kAll) {
        auto const a = made(name), b = made(name), c = made(name, 2);
        for (std::size_t i = 0; i < a->parameters().size(); ++i)
            EXPECT_TRUE(torch::equal(a->parameters()[i], b->parameters()[i]));
        EXPECT_FALSE(torch::equal(a->parameters()[0], c->parameters()[0]));
    }
}

TEST(GeneratorNetworks, RefuseValuesOutsideTheUnitInterval) {
    for (char const* name : kAll) {
        SCOPED_TRACE(name);
        auto const network = made(name);
        for (double wrong : {-0.1, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
            Batch batch = batch_of(2);
            batch.x[1][0][3][3] = wrong;
            expect_in(error_of(Exit::data, [&] { network->loss(batch, 1); }), {"[0, 1]"});
            expect_in(error_of(Exit::data, [&] { network->score(batch, 1, 1); }), {"[0, 1]"});
        }
    }
}

TEST(GeneratorNetworks, RefuseSamplesTheyCannotTake) {
    auto const refusal = [](std::string const& network, std::vector<std::uint64_t> const& shape) {
        data::DatasetInfo const info{10, shape, data::SampleType::uint8, "", true};
        return error_of(Exit::usage, [&] { make_generator(options(network), info, kClasses, 1); });
    };
    expect_in(refusal("gan", {1, 10, 8}), {"\"gan\"", "1x10x8", "\"vae\""});
    expect_in(refusal("ddpm", {1, 8, 6}), {"\"ddpm\"", "1x8x6"});
    expect_in(refusal("vae", {64}), {"\"vae\"", "64"});
    EXPECT_NO_THROW(make_generator(options("vae"), images(1, 5, 7), kClasses, 1));
}
