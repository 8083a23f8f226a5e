#include "assay/model/classifier_networks.hpp"

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

job::Train options(std::string const& network, std::int64_t width, std::string const& norm = "group") {
    job::Train train;
    train.network = network;
    train.width = width;
    train.norm = norm;
    return train;
}

torch::Tensor ramp(std::vector<std::int64_t> const& shape) {
    std::int64_t elements = 1;
    for (auto n : shape)
        elements *= n;
    return torch::linspace(-1, 1, elements).sin().reshape(shape);
}

bool same_parameters(Network const& a, Network const& b) {
    auto const left = a.named_parameters(), right = b.named_parameters();
    if (left.keys() != right.keys())
        return false;
    for (auto const& item : left)
        if (!torch::equal(item.value(), right[item.key()]))
            return false;
    return true;
}

std::vector<job::Train> const kAll{options("mlp", 16), options("cnn", 4), options("resnet18", 8, "group"),
                                   options("resnet18", 8, "batch")};

} // namespace

TEST(ClassifierNetworks, GiveLogitsAndFeatures) {
    struct Case {
        job::Train train;
        std::int64_t features;
    };
    for (auto const& [train, features] :
         {Case{kAll[0], 16}, Case{kAll[1], 16}, Case{kAll[2], 64}, Case{kAll[3], 64}})
        for (auto const& info : {images(3, 16, 16), images(1, 9, 13), images(2, 8, 8)}) {
            SCOPED_TRACE(
                fmt::format("{} {} {}", train.network, train.norm, fmt::join(info.sample_shape, "x")));
            auto const network = make_classifier(train, info, 7, 1);
            network->eval();
            auto const side = [&](std::size_t axis) {
                return static_cast<std::int64_t>(info.sample_shape[axis]);
            };
            torch::Tensor const x = ramp({3, side(0), side(1), side(2)});
            auto const [logits, hidden] = network->logits_and_features(x);
            EXPECT_EQ(logits.sizes(), (std::vector<std::int64_t>{3, 7}));
            EXPECT_EQ(hidden.sizes(), (std::vector<std::int64_t>{3, features}));
            EXPECT_TRUE(torch::equal(network->logits(x), logits));
            EXPECT_TRUE(torch::isfinite(logits).all().item<bool>());
        }
}

TEST(ClassifierNetworks, FeaturesAreTheInputOfTheLastLayer) {
    for (auto const& train : kAll) {
        SCOPED_TRACE(train.network);
        auto const network = make_classifier(train, images(3, 16, 16), 5, 1);
        network->eval();
        auto const [logits, features] = network->logits_and_features(ramp({4, 3, 16, 16}));
        auto const parameters = network->named_parameters();
        torch::Tensor const by_hand =
            features.matmul(parameters["head.weight"].t()) + parameters["head.bias"];
        EXPECT_TRUE(torch::allclose(by_hand, logits, 1e-5, 1e-5));
    }
}

TEST(ClassifierNetworks, MlpTakesSamplesOfAnyShape) {
    data::DatasetInfo const info{10, {20}, data::SampleType::float32, "NC", true};
    EXPECT_EQ(make_classifier(options("mlp", 8), info, 3, 1)->logits(ramp({2, 20})).sizes(),
              (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(make_classifier(options("mlp", 8), images(1, 2, 3), 3, 1)->logits(ramp({2, 1, 2, 3})).sizes(),
              (std::vector<std::int64_t>{2, 3}));
}

TEST(ClassifierNetworks, ParametersDependOnTheSeedAlone) {
    for (auto const& train : kAll) {
        SCOPED_TRACE(train.network);
        torch::manual_seed(1);
        auto const first = make_classifier(train, images(3, 8, 8), 5, 42);
        torch::manual_seed(2);
        EXPECT_TRUE(same_parameters(*first, *make_classifier(train, images(3, 8, 8), 5, 42)));
        EXPECT_FALSE(same_parameters(*first, *make_classifier(train, images(3, 8, 8), 5, 43)));
    }
}

TEST(ClassifierNetworks, StartFromHeInitialisation) {
    for (auto const& train : {options("mlp", 256), options("cnn", 32), options("resnet18", 32, "batch")}) {
        auto const network = make_classifier(train, images(3, 16, 16), 10, 1);
        torch::NoGradGuard const no_grad;
        for (auto const& item : network->named_parameters()) {
            SCOPED_TRACE(train.network + " " + item.key());
            torch::Tensor const& parameter = item.value();
            if (parameter.dim() < 2) {
                double const expected = item.key().ends_with("weight") ? 1 : 0;
                EXPECT_TRUE(parameter.eq(expected).all().item<bool>());
                continue;
            }
            auto const n = static_cast<double>(parameter.numel());
            double const fan_in = n / static_cast<double>(parameter.size(0)), sd = std::sqrt(2 / fan_in);
            EXPECT_NEAR(parameter.mean().item<double>(), 0, 5 * sd / std::sqrt(n));
            EXPECT_NEAR(parameter.std().item<double>(), sd, 5 * sd / std::sqrt(2 * n));
        }
    }
}

// 11 173 962 is the count of the usual CIFAR-10 ResNet-18: 3x3 stem, every convolution, those of the
// shortcuts included, without bias and followed by a normalisation with scale and offset
TEST(ClassifierNetworks, Resnet18HasTheKnownNumberOfParameters) {
    for (char const* norm : {"batch", "group"}) {
        std::int64_t count = 0;
        for (auto const& parameter :
             make_classifier(options("resnet18", 64, norm), images(3, 32, 32), 10, 1)->parameters())
            count += parameter.numel();
        EXPECT_EQ(count, 11173962) << norm;
    }
}

TEST(ClassifierNetworks, EvaluateSamplesIndependently) {
    for (auto const& train : kAll) {
        SCOPED_TRACE(train.network + " " + train.norm);
        auto const network = make_classifier(train, images(3, 16, 16), 5, 1);
        network->eval();
        torch::Tensor const x = ramp({6, 3, 16, 16});
        torch::Tensor const together = network->logits(x);
        for (std::int64_t i = 0; i < 6; ++i)
            EXPECT_TRUE(torch::allclose(network->logits(x.slice(0, i, i + 1))[0], together[i], 1e-3, 1e-4))
                << i;
    }
}

TEST(ClassifierNetworks, RefuseSamplesTheyCannotSee) {
    data::DatasetInfo const vectors{10, {64}, data::SampleType::float32, "NC", true};
    for (char const* name : {"cnn", "resnet18"}) {
        auto const refused = [&](data::DatasetInfo const& info) {
            return error_of(Exit::usage, [&] { make_classifier(options(name, 8), info, 5, 1); });
        };
        expect_in(refused(images(3, 7, 8)), {std::string("model.train.network=\"") + name, "8x8", "3x7x8"});
        expect_in(refused(images(3, 8, 7)), {"3x8x7"});
        expect_in(refused(vectors), {name, "64"});
    }
}

// -(1 - s) log p_y - s/K sum log p (Szegedy et al. 2016, Sec. 7); the label's own loss in evaluation
TEST(ClassifierNetworks, SmoothLabelsInTraining) {
    job::Network smooth = options("mlp", 8);
    smooth.label_smoothing = 0.3;
    auto const network = make_classifier(smooth, images(1, 8, 8), 5, 1);
    Batch const batch{{1, 2}, ramp({2, 1, 8, 8}), torch::tensor({0, 3})};
    torch::Tensor const log_p = network->logits(batch.x).log_softmax(1);
    for (std::int64_t i = 0; i < 2; ++i) {
        double const own = log_p[i][i == 0 ? 0 : 3].item<double>(), all = log_p[i].mean().item<double>();
        network->train();
        EXPECT_NEAR(network->loss(batch, 1).loss[i].item<double>(), -0.7 * own - 0.3 * all, 1e-5);
        network->eval();
        EXPECT_NEAR(network->loss(batch, 1).loss[i].item<double>(), -own, 1e-5);
    }
}
