#include "assay/model/autoregressive_networks.hpp"

#include "data/fixtures.hpp"

#include <cmath>

using namespace assay;
using namespace assay::model;
using data::test::error_of;
using data::test::expect_in;

namespace {

data::DatasetInfo images(std::uint64_t channels, std::uint64_t height, std::uint64_t width) {
    return {10, {channels, height, width}, data::SampleType::uint8, "NCHW", true};
}

job::Train options(std::string const& network, std::int64_t width) {
    job::Train train;
    train.network = network;
    train.width = width;
    train.pool = 2;
    train.levels = 4;
    return train;
}

// Pseudo-random values in [0, 1)
torch::Tensor noise(std::vector<std::int64_t> const& shape) {
    std::int64_t elements = 1;
    for (auto n : shape)
        elements *= n;
    return (torch::arange(elements) * 0.618034).frac().to(torch::kFloat32).reshape(shape);
}

Batch batch_of(std::int64_t count) {
    Batch batch{{}, noise({count, 2, 4, 6}), torch::arange(count).remainder(3)};
    for (std::int64_t i = 0; i < count; ++i)
        batch.ids.push_back(static_cast<std::uint64_t>(100 + i));
    return batch;
}

// More hidden units than tokens, fewer, and attention; 12 tokens of 4 levels, 3 classes
std::vector<job::Train> const kAll{options("made", 40), options("made", 7), options("transformer", 8)};

std::shared_ptr<AutoregressiveNetwork> made(job::Train const& train, std::uint64_t seed = 1) {
    auto network = make_autoregressive(train, images(2, 4, 6), 3, seed);
    network->eval();
    return network;
}

} // namespace

TEST(PixelTokens, AreMeansOfSquaresInLevelsWithChannelsSideBySide) {
    auto const network = make_autoregressive(options("made", 8), images(2, 4, 2), 3, 1);
    // Two channels of 4 x 2 pixels: two squares each
    torch::Tensor const x = torch::tensor({0.F, 0.F, 0.F, 0.9F, /**/ 1.F, 1.F, 1.F, 1.F, //
                                           0.5F, 0.5F, 0.5F, 0.5F, /**/ 0.6F, 0.9F, 0.7F, 0.9F})
                                .reshape({1, 2, 4, 2});
    torch::Tensor const tokens = network->tokenize(x);
    EXPECT_EQ(tokens.scalar_type(), torch::kInt64);
    EXPECT_TRUE(torch::equal(tokens, torch::tensor({{0, 2, 3, 3}}, torch::kInt64)));
}

TEST(PixelTokens, RefuseValuesOutsideTheUnitInterval) {
    auto const network = made(kAll[0]);
    for (double wrong : {-0.1, 1.5})
        expect_in(error_of(Exit::data,
                           [&] {
                               network->tokenize(torch::full({1, 2, 4, 6}, wrong));
                           }),
                  {"[0, 1]", "dataset.mean"});
}

TEST(AutoregressiveNetworks, SeeEarlierTokensOnly) {
    for (job::Train const& train : kAll) {
        SCOPED_TRACE(fmt::format("{} {}", train.network, train.width));
        auto const network = made(train);
        torch::Tensor const label = torch::tensor({2}, torch::kInt64);
        torch::Tensor const tokens = network->tokenize(noise({1, 2, 4, 6}));
        torch::Tensor const logits = network->logits(tokens, label);
        ASSERT_EQ(logits.sizes(), (std::vector<std::int64_t>{1, 12, 4}));
        for (std::int64_t t = 0; t < 12; ++t) {
            torch::Tensor changed = tokens.clone();
            changed[0][t] = (tokens[0][t].item<std::int64_t>() + 1) % 4;
            torch::Tensor const moved = (network->logits(changed, label) - logits).abs().amax(2).squeeze(0);
            EXPECT_EQ(moved.slice(0, 0, t + 1).max().item<float>(), 0) << t;
            if (t < 11 && train.width >= 8) {
                EXPECT_GT(moved[11].item<float>(), 0) << t;
            }
        }
    }
}

TEST(AutoregressiveNetworks, AreConditionedOnEveryLabelAndOnNone) {
    for (job::Train const& train : kAll) {
        SCOPED_TRACE(fmt::format("{} {}", train.network, train.width));
        auto const network = made(train);
        torch::Tensor const tokens = network->tokenize(noise({1, 2, 4, 6})).repeat({4, 1});
        torch::Tensor const logits = network->logits(tokens, torch::tensor({-1, 0, 1, 2}, torch::kInt64));
        for (std::int64_t a = 0; a < 4; ++a)
            for (std::int64_t b = 0; b < a; ++b)
                EXPECT_FALSE(torch::allclose(logits[a][0], logits[b][0])) << a << " and " << b;
    }
}

TEST(AutoregressiveNetworks, KeepTheirContract) {
    for (job::Train const& train : kAll)
        check_autoregressive(*made(train), batch_of(2), 3, "network");
}

TEST(AutoregressiveNetworks, ParametersDependOnTheSeedAlone) {
    for (job::Train const& train : kAll) {
        auto const a = made(train), b = made(train), c = made(train, 2);
        for (std::size_t i = 0; i < a->parameters().size(); ++i)
            EXPECT_TRUE(torch::equal(a->parameters()[i], b->parameters()[i]));
        EXPECT_FALSE(torch::equal(a->parameters()[0], c->parameters()[0]));
    }
}

TEST(AutoregressiveNetworks, LossIsTheMeanOverTokens) {
    for (job::Train const& train : kAll) {
        auto const network = made(train);
        Batch const batch = batch_of(5);
        SampleLoss const found = network->loss(batch, 7);
        torch::Tensor const tokens = network->tokenize(batch.x);
        torch::Tensor const logits = network->logits(tokens, batch.y);
        for (std::int64_t i = 0; i < 5; ++i) {
            double loss = 0, right = 0;
            for (std::int64_t t = 0; t < 12; ++t) {
                double sum = 0;
                auto const y = tokens[i][t].item<std::int64_t>();
                for (std::int64_t v = 0; v < 4; ++v)
                    sum += std::exp(logits[i][t][v].item<double>());
                loss += (std::log(sum) - logits[i][t][y].item<double>()) / 12;
                right += (logits[i][t].argmax().item<std::int64_t>() == y) / 12.0;
            }
            EXPECT_NEAR(found.loss[i].item<double>(), loss, 1e-5);
            EXPECT_NEAR(found.accuracy[i].item<double>(), right, 1e-6);
        }
    }
}

// Which loss is that of the null label tells which labels were dropped
TEST(AutoregressiveNetworks, TrainingDropsATenthOfTheLabelsByIdAndDraws) {
    auto const network = made(kAll[0]);
    Batch const batch = batch_of(600);
    Batch unconditional = batch;
    unconditional.y = torch::full_like(batch.y, kNullLabel);
    torch::Tensor const null = network->loss(unconditional, 0).loss;
    network->train();
    auto const dropped = [&](Batch const& of, std::uint64_t draws) {
        return (network->loss(of, draws).loss - null.slice(0, 0, of.y.size(0))).abs().lt(1e-5);
    };
    torch::Tensor const first = dropped(batch, 1);
    EXPECT_NEAR(first.to(torch::kFloat32).mean().item<double>(), 0.1, 0.04);
    EXPECT_FALSE(torch::equal(first, dropped(batch, 2)));
    Batch part{{batch.ids.begin(), batch.ids.begin() + 99}, batch.x.slice(0, 0, 99), batch.y.slice(0, 0, 99)};
    EXPECT_TRUE(torch::equal(first.slice(0, 0, 99), dropped(part, 1)));
}

TEST(AutoregressiveNetworks, RefuseSamplesTheyCannotCut) {
    auto const refusal = [](job::Train const& train, std::vector<std::uint64_t> const& shape) {
        data::DatasetInfo const info{10, shape, data::SampleType::uint8, "", true};
        return error_of(Exit::usage, [&] { make_autoregressive(train, info, 3, 1); });
    };
    expect_in(refusal(kAll[0], {1, 5, 4}), {"\"made\"", "model.train.pool=2", "1x5x4"});
    expect_in(refusal(kAll[2], {64}), {"\"transformer\"", "64", "another shape"});
    expect_in(refusal(options("transformer", 6), {1, 4, 4}), {"model.train.width=6", "4 heads"});
}
