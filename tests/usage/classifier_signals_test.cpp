#include "assay/usage/classifier_signals.hpp"

#include "assay/base/random.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

using namespace assay;
using namespace assay::usage;

namespace {

using Vector = std::vector<double>;

// A network in plain C++, in double: h = tanh(a x), l = w h + b. The oracle of every signal
struct PlainNetwork {
    std::size_t inputs, hidden, classes;
    Vector a, w, b; // [hidden x inputs], [classes x hidden], [classes]

    Vector features(Vector const& x) const {
        Vector h(hidden);
        for (std::size_t j = 0; j < hidden; ++j) {
            for (std::size_t i = 0; i < inputs; ++i)
                h[j] += a[j * inputs + i] * x[i];
            h[j] = std::tanh(h[j]);
        }
        return h;
    }
    Vector logits(Vector const& x) const {
        Vector const h = features(x);
        Vector l = b;
        for (std::size_t k = 0; k < classes; ++k)
            for (std::size_t j = 0; j < hidden; ++j)
                l[k] += w[k * hidden + j] * h[j];
        return l;
    }
};

PlainNetwork random_network(std::size_t inputs, std::size_t hidden, std::size_t classes, double scale) {
    Random random(5, "test network");
    auto const draw = [&](std::size_t n, double sd) {
        Vector values(n);
        for (double& value : values)
            value = static_cast<float>(sd * random.normal()); // exact in float32 too
        return values;
    };
    return {inputs,          hidden, classes, draw(hidden * inputs, 0.5), draw(classes * hidden, scale),
            draw(classes, 1)};
}

double log_sum_exp(Vector const& l, std::size_t left_out) {
    double largest = -INFINITY, sum = 0;
    for (std::size_t k = 0; k < l.size(); ++k)
        if (k != left_out)
            largest = std::max(largest, l[k]);
    for (std::size_t k = 0; k < l.size(); ++k)
        if (k != left_out)
            sum += std::exp(l[k] - largest);
    return largest + std::log(sum);
}
constexpr std::size_t kNone = ~std::size_t{0};

double log_p(Vector const& l, std::size_t k) {
    return l[k] - log_sum_exp(l, kNone);
}
double log_not_p(Vector const& l, std::size_t k) { // log(1 - p_k) without cancellation
    return log_sum_exp(l, k) - log_sum_exp(l, kNone);
}
double phi(Vector const& l, std::size_t y) {
    return l[y] - log_sum_exp(l, y);
}
double margin(Vector const& l, std::size_t y) {
    double other = -INFINITY;
    for (std::size_t k = 0; k < l.size(); ++k)
        if (k != y)
            other = std::max(other, l[k]);
    return l[y] - other;
}
double modified_entropy(Vector const& l, std::size_t y) {
    double const floor = std::log(1e-30);
    double sum = std::exp(log_not_p(l, y)) * std::max(log_p(l, y), floor);
    for (std::size_t k = 0; k < l.size(); ++k)
        if (k != y)
            sum += std::exp(log_p(l, k)) * std::max(log_not_p(l, k), floor);
    return sum;
}

double loss(PlainNetwork const& network, Vector const& x, std::size_t y) {
    return -log_p(network.logits(x), y);
}

// Central differences of the loss by each of `parameters`, which `evaluate` sees; minus their norm
template <class Evaluate>
double minus_gradient_norm(Vector& parameters, Evaluate evaluate, double squares = 0) {
    constexpr double kStep = 1e-5;
    for (double& parameter : parameters) {
        double const at = parameter;
        parameter = at + kStep;
        double const above = evaluate();
        parameter = at - kStep;
        double const slope = (above - evaluate()) / (2 * kStep);
        parameter = at;
        squares += slope * slope;
    }
    return -std::sqrt(squares);
}
double input_gradient(PlainNetwork const& network, Vector x, std::size_t y) {
    return minus_gradient_norm(x, [&] { return loss(network, x, y); });
}
double last_layer_gradient(PlainNetwork network, Vector const& x, std::size_t y) {
    double const weights = minus_gradient_norm(network.w, [&] { return loss(network, x, y); });
    return minus_gradient_norm(
        network.b, [&] { return loss(network, x, y); }, weights * weights);
}

// The same network as the signals see it
class TorchNetwork : public model::Classifier {
  public:
    explicit TorchNetwork(PlainNetwork const& plain)
        : a_(tensor(plain.a, plain.hidden)), w_(tensor(plain.w, plain.classes)), b_(tensor(plain.b, 1)) {}
    torch::Tensor logits(torch::Tensor const& x) override { return logits_and_features(x).first; }
    bool has_features() const override { return true; }
    std::pair<torch::Tensor, torch::Tensor> logits_and_features(torch::Tensor const& x) override {
        torch::Tensor const h = torch::tanh(x.flatten(1).matmul(a_.t()));
        return {h.matmul(w_.t()) + b_, h};
    }

  private:
    static torch::Tensor tensor(Vector const& values, std::size_t rows) {
        return torch::tensor(values, torch::kFloat64)
            .to(torch::kFloat32)
            .reshape({static_cast<std::int64_t>(rows), -1});
    }
    torch::Tensor a_, w_, b_;
};

// Logits are the samples themselves; the features are all zero
class Identity : public model::Classifier {
  public:
    torch::Tensor logits(torch::Tensor const& x) override { return x.flatten(1); }
    bool has_features() const override { return true; }
    std::pair<torch::Tensor, torch::Tensor> logits_and_features(torch::Tensor const& x) override {
        return {logits(x), torch::zeros({x.size(0), 3})};
    }
};

model::Batch batch_of(torch::Tensor const& x, std::vector<std::int64_t> const& labels,
                      std::uint64_t first_id = 70) {
    model::Batch batch{{}, x, torch::tensor(labels, torch::kInt64)};
    for (std::size_t i = 0; i < labels.size(); ++i)
        batch.ids.push_back(first_id + i);
    return batch;
}

// Logits as samples [B, K, 1, 1]
model::Batch logits_as_batch(std::vector<std::vector<float>> const& logits,
                             std::vector<std::int64_t> const& labels) {
    std::vector<float> flat;
    for (auto const& row : logits)
        flat.insert(flat.end(), row.begin(), row.end());
    return batch_of(torch::tensor(flat).reshape({static_cast<std::int64_t>(logits.size()), -1, 1, 1}),
                    labels);
}

SignalPlan plan_of(std::vector<std::string> const& names, std::int64_t augmentations = 8) {
    return {choose_signals(names, {"classifier", true, true}), augmentations, 11};
}

// One signal of a batch
Vector values_of(std::string const& name, model::Classifier& classifier, model::Batch const& batch) {
    torch::Tensor const values =
        classifier_signals(classifier, batch, plan_of({name}))[0].to(torch::kFloat64);
    return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

Vector sample(torch::Tensor const& x, std::size_t i) {
    torch::Tensor const row = x[static_cast<std::int64_t>(i)].contiguous().flatten();
    return {row.data_ptr<float>(), row.data_ptr<float>() + row.numel()};
}

// Twelve images [2, 5, 4] through a network of the given sharpness
struct ClassifierSignals : testing::TestWithParam<double> {
    PlainNetwork plain = random_network(40, 6, 5, GetParam());
    TorchNetwork network{plain};
    std::vector<std::int64_t> labels{0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1};
    model::Batch batch = batch_of(images(), labels);

    static torch::Tensor images() {
        Random random(6, "test images");
        std::vector<float> values(12 * 40);
        for (float& value : values)
            value = static_cast<float>(random.uniform());
        return torch::tensor(values).reshape({12, 2, 5, 4});
    }

    // `expected` is what the oracle says of a sample with its label
    template <class Expected>
    void expect_signal(std::string const& name, double relative, Expected expected) {
        Vector const values = values_of(name, network, batch);
        ASSERT_EQ(values.size(), labels.size());
        for (std::size_t i = 0; i < labels.size(); ++i) {
            double const want = expected(sample(batch.x, i), static_cast<std::size_t>(labels[i]));
            EXPECT_NEAR(values[i], want, relative * std::abs(want) + 1e-5) << name << " of sample " << i;
        }
    }
};

} // namespace

TEST_P(ClassifierSignals, OfLogitsMatchPlainLoops) {
    expect_signal("loss", 1e-5, [&](Vector const& x, std::size_t y) { return log_p(plain.logits(x), y); });
    expect_signal("logit", 1e-5, [&](Vector const& x, std::size_t y) { return phi(plain.logits(x), y); });
    expect_signal("margin", 1e-5, [&](Vector const& x, std::size_t y) { return margin(plain.logits(x), y); });
    expect_signal("modified_entropy", 1e-5,
                  [&](Vector const& x, std::size_t y) { return modified_entropy(plain.logits(x), y); });
}

TEST_P(ClassifierSignals, LastLayerGradientMatchesFiniteDifferences) {
    expect_signal("last_layer_gradient", 1e-4,
                  [&](Vector const& x, std::size_t y) { return last_layer_gradient(plain, x, y); });
}

TEST_P(ClassifierSignals, InputGradientMatchesFiniteDifferences) {
    expect_signal("input_gradient", 1e-4,
                  [&](Vector const& x, std::size_t y) { return input_gradient(plain, x, y); });
}

TEST_P(ClassifierSignals, AugmentationsMatchOneVersionAtATime) {
    constexpr std::int64_t kVersions = 6;
    torch::Tensor const values =
        classifier_signals(network, batch, plan_of({"augmentation_mean", "augmentation_std"}, kVersions));
    for (std::int64_t i = 0; i < 12; ++i) {
        Vector confidence;
        for (std::uint64_t k = 0; k < kVersions; ++k) {
            torch::Tensor const version =
                model::augment(batch.x.slice(0, i, i + 1), {batch.ids[static_cast<std::size_t>(i)]}, 11, k);
            confidence.push_back(phi(plain.logits(sample(version, 0)),
                                     static_cast<std::size_t>(labels[static_cast<std::size_t>(i)])));
        }
        double mean = 0, squares = 0;
        for (double value : confidence)
            mean += value / kVersions;
        for (double value : confidence)
            squares += (value - mean) * (value - mean);
        EXPECT_NEAR(values[0][i].item<double>(), mean, 1e-4) << i;
        EXPECT_NEAR(values[1][i].item<double>(), -std::sqrt(squares / (kVersions - 1)), 1e-4) << i;
    }
}

// One noisy copy at a time, a tenth of the sample's own spread away
TEST_P(ClassifierSignals, NeighboursMatchOneAtATime) {
    torch::Tensor const values =
        classifier_signals(network, batch, plan_of({"neighbour", "neighbour_scaled"}));
    for (std::int64_t i = 0; i < 12; ++i) {
        auto const label = static_cast<std::size_t>(labels[static_cast<std::size_t>(i)]);
        Vector const x = sample(batch.x, static_cast<std::size_t>(i));
        double mean = 0, spread = 0;
        for (double value : x)
            mean += value / static_cast<double>(x.size());
        for (double value : x)
            spread += (value - mean) * (value - mean) / static_cast<double>(x.size());
        Vector around;
        for (int k = 0; k < 25; ++k) {
            torch::Tensor const noise =
                model::keyed_normals({batch.ids[static_cast<std::size_t>(i)]}, {2, 5, 4}, 11,
                                     "neighbour " + std::to_string(k), torch::kCPU);
            Vector near = x;
            for (std::size_t v = 0; v < near.size(); ++v)
                near[v] +=
                    0.1 * std::sqrt(spread) * noise.flatten()[static_cast<std::int64_t>(v)].item<double>();
            around.push_back(phi(plain.logits(near), label));
        }
        double centre = 0, squares = 0;
        for (double value : around)
            centre += value / 25;
        for (double value : around)
            squares += (value - centre) * (value - centre) / 24;
        double const gap = phi(plain.logits(x), label) - centre;
        EXPECT_NEAR(values[0][i].item<double>(), gap, 1e-4) << i;
        EXPECT_NEAR(values[1][i].item<double>(), gap / std::sqrt(squares), 1e-2) << i;
    }
}

TEST_P(ClassifierSignals, CalibratedLogitIsTheDifferenceToThePublicModel) {
    PlainNetwork const other = random_network(40, 6, 5, 0.7);
    TorchNetwork known(other);
    SignalPlan const plan{
        choose_signals(std::vector<std::string>{"calibrated_logit"}, {"classifier", true, true, true}), 8,
        11};
    torch::Tensor const values = classifier_signals(network, batch, plan, &known);
    for (std::size_t i = 0; i < 12; ++i) {
        Vector const x = sample(batch.x, i);
        auto const y = static_cast<std::size_t>(labels[i]);
        EXPECT_NEAR(values[0][static_cast<std::int64_t>(i)].item<double>(),
                    phi(plain.logits(x), y) - phi(other.logits(x), y), 1e-4);
    }
}

TEST_P(ClassifierSignals, DoNotDependOnTheBatch) {
    SignalPlan const plan = plan_of({"default"});
    torch::Tensor const together = classifier_signals(network, batch, plan);
    ASSERT_EQ(together.sizes(), (std::vector<std::int64_t>{8, 12}));
    for (std::int64_t i = 0; i < 12; ++i) {
        auto const at = static_cast<std::size_t>(i);
        model::Batch const one{{batch.ids[at]}, batch.x.slice(0, i, i + 1), batch.y.slice(0, i, i + 1)};
        torch::Tensor const alone = classifier_signals(network, one, plan).squeeze(1);
        EXPECT_TRUE(torch::allclose(alone, together.select(1, i), 1e-4, 1e-5)) << i;
    }
}

INSTANTIATE_TEST_SUITE_P(FromUnsureToSure, ClassifierSignals, testing::Values(0.1, 1.0, 5.0));

TEST(ClassifierSignal, RowsFollowThePlan) {
    Identity identity;
    model::Batch const batch = logits_as_batch({{1, 0, -2}}, {0});
    SignalPlan plan = plan_of({"margin", "loss"});
    std::swap(plan.signals[0], plan.signals[1]);
    torch::Tensor const values = classifier_signals(identity, batch, plan);
    ASSERT_EQ(values.sizes(), (std::vector<std::int64_t>{2, 1}));
    EXPECT_EQ(values.scalar_type(), torch::kFloat32);
    EXPECT_EQ(values[0][0].item<float>(), 1) << plan.signals[0].name; // the margin
    EXPECT_LT(values[1][0].item<float>(), 0) << plan.signals[1].name;
    EXPECT_FALSE(batch.x.requires_grad());
}

// Two classes, p_y = 0.8: log-odds ln 4, modified entropy 0.2 ln 0.8 + 0.2 ln 0.8. Residual (-0.2, 0.2); the
// features are zero, so that the gradient in the last layer is that of its bias
TEST(ClassifierSignal, KnownAnswersForTwoClasses) {
    Identity identity;
    model::Batch const batch = logits_as_batch({{std::log(4.F), 0}, {0, std::log(4.F)}}, {0, 1});
    auto const expect = [&](char const* name, double value) {
        for (double got : values_of(name, identity, batch))
            EXPECT_NEAR(got, value, 1e-6) << name;
    };
    expect("loss", -0.2231436);
    expect("logit", 1.3862944);
    expect("margin", 1.3862944);
    expect("modified_entropy", -0.0892574);
    expect("last_layer_gradient", -0.2828427);
    expect("input_gradient", -0.2828427);
}

TEST(ClassifierSignal, StaysFiniteForExtremeLogits) {
    Identity identity;
    // Right and wrong beyond all doubt, then all logits alike
    model::Batch const batch = logits_as_batch(
        {{1e4F, 0, 0}, {-1e4F, 0, 0}, {0, 1e4F, 0}, {1e4F, -1e4F, 0}, {1e4F, 1e4F, 1e4F}}, {0, 0, 0, 1, 2});
    EXPECT_TRUE(
        torch::isfinite(classifier_signals(identity, batch, plan_of({"default"}))).all().item<bool>());
    auto const expect = [&](char const* name, Vector const& expected) {
        Vector const values = values_of(name, identity, batch);
        for (std::size_t i = 0; i < expected.size(); ++i)
            EXPECT_NEAR(values[i], expected[i], 1e-6 * std::abs(expected[i]) + 1e-6)
                << name << " of sample " << i;
    };
    double const ln2 = std::log(2), ln3 = std::log(3), floor = std::log(1e-30);
    expect("loss", {0, -1e4 - ln2, -1e4, -2e4, -ln3});
    expect("logit", {1e4 - ln2, -1e4 - ln2, -1e4, -2e4, -ln2});
    expect("margin", {1e4, -1e4, -1e4, -2e4, 0});
    expect("modified_entropy",
           {0, floor - ln2, 2 * floor, 2 * floor, -2 * ln3 / 3 + 2 * std::log(2. / 3) / 3});
    expect("input_gradient", {0, -std::sqrt(1.5), -std::sqrt(2), -std::sqrt(2), -std::sqrt(2. / 3)});
}

// Where 1 - p of the top class is below the precision of p, log(1 - p) must still come from the logits:
// between a gap of 36 and the clamp at log(1e-30) = -69 the signal follows the gap
TEST(ClassifierSignal, ModifiedEntropyOfConfidentMistakesFollowsTheLogits) {
    Identity identity;
    model::Batch const batch =
        logits_as_batch({{0, 30}, {0, 36}, {0, 38}, {0, 45}, {0, 60}, {0, 80}}, {0, 0, 0, 0, 0, 0});
    Vector const values = values_of("modified_entropy", identity, batch);
    Vector const expected{-60, -72, -76, -90, -120, 2 * std::log(1e-30)};
    for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_NEAR(values[i], expected[i], 1e-3) << i;
}

TEST(ClassifierSignal, IsLargerForABetterFit) {
    Identity identity;
    model::Batch const batch = logits_as_batch(
        {{-3, 0, 0, 0.5F}, {0, 0, 0, 0.5F}, {1, 0, 0, 0.5F}, {4, 0, 0, 0.5F}, {9, 0, 0, 0.5F}},
        {0, 0, 0, 0, 0});
    for (char const* name :
         {"loss", "logit", "margin", "modified_entropy", "last_layer_gradient", "input_gradient"}) {
        Vector const values = values_of(name, identity, batch);
        for (std::size_t i = 1; i < values.size(); ++i)
            EXPECT_GT(values[i], values[i - 1]) << name << " of sample " << i;
    }
}

TEST(ClassifierSignal, AugmentationsAreLargerForASteadierFit) {
    // Logits are the means of the two channels. A constant channel loses at its rim when shifted; the longer
    // the signal stays the same, the larger is minus its deviation
    class Means : public Identity {
        torch::Tensor logits(torch::Tensor const& x) override { return x.mean({2, 3}); }
    } means;
    torch::Tensor x = torch::zeros({3, 2, 9, 9});
    x[1][0].fill_(1.F);
    x[2][0].fill_(5.F);
    model::Batch const batch = batch_of(x, {0, 0, 0});
    Vector const mean = values_of("augmentation_mean", means, batch);
    Vector const deviation = values_of("augmentation_std", means, batch);
    EXPECT_EQ(mean[0], 0);
    EXPECT_EQ(deviation[0], 0);
    EXPECT_GT(mean[2], mean[1]);
    EXPECT_GT(mean[1], 0);
    EXPECT_LT(deviation[2], deviation[1]);
    EXPECT_LT(deviation[1], 0);
}

TEST(ClassifierSignal, VersionsOfOneItemShareTheirAugmentations) {
    PlainNetwork const plain = random_network(81, 6, 3, 1);
    TorchNetwork network(plain);
    torch::Tensor const x = torch::linspace(0, 1, 81).reshape({1, 1, 9, 9});
    model::Batch batch{{3, 3, 4}, torch::cat({x, x, x}), torch::zeros({3}, torch::kInt64)};
    Vector const mean = values_of("augmentation_mean", network, batch);
    EXPECT_NEAR(mean[0], mean[1], 1e-6);
    EXPECT_GT(std::abs(mean[0] - mean[2]), 1e-4);
}

TEST(LogitScaledConfidence, IgnoresTheLabelInTheSum) {
    torch::Tensor const logits = torch::tensor({{3.F, 1.F, 0.F}, {3.F, 1.F, 0.F}});
    torch::Tensor const values = logit_scaled_confidence(logits, torch::tensor({0, 2}, torch::kInt64));
    EXPECT_EQ(values.scalar_type(), torch::kFloat64);
    EXPECT_NEAR(values[0].item<double>(), 3 - std::log(std::exp(1) + 1), 1e-12);
    EXPECT_NEAR(values[1].item<double>(), -std::log(std::exp(3) + std::exp(1)), 1e-12);
}
