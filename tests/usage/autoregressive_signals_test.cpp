#include "assay/usage/autoregressive_signals.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

using namespace assay;
using namespace assay::usage;

namespace {

using Vector = std::vector<double>;
using Tokens = std::vector<std::int64_t>;

// A made-up model: what it says of value v after tokens[0, t) under a label
double logit(Tokens const& tokens, std::size_t t, std::size_t v, std::int64_t label, double sharpness) {
    double seen = 0.3;
    for (std::size_t s = 0; s < t; ++s)
        seen += 0.37 * static_cast<double>(s + 1) * static_cast<double>(tokens[s]);
    return sharpness * std::sin(1.3 * static_cast<double>(v) + 0.7 * static_cast<double>(label) + seen) +
           0.1 * static_cast<double>(label * static_cast<std::int64_t>(v));
}

// The same behind the interface; samples are their tokens
class Waves : public model::Autoregressive {
  public:
    Waves(double sharpness, std::size_t values) : sharpness_(sharpness), values_(values) {}

    torch::Tensor tokenize(torch::Tensor const& x) override { return x.to(torch::kInt64); }
    torch::Tensor logits(torch::Tensor const& tokens, torch::Tensor const& label) override {
        auto const token = tokens.accessor<std::int64_t, 2>();
        torch::Tensor result =
            torch::empty({tokens.size(0), tokens.size(1), static_cast<std::int64_t>(values_)});
        auto out = result.accessor<float, 3>();
        for (std::int64_t i = 0; i < tokens.size(0); ++i) {
            Tokens row;
            for (std::int64_t t = 0; t < tokens.size(1); ++t)
                row.push_back(token[i][t]);
            for (std::size_t t = 0; t < row.size(); ++t)
                for (std::size_t v = 0; v < values_; ++v)
                    out[i][static_cast<std::int64_t>(t)][static_cast<std::int64_t>(v)] =
                        static_cast<float>(logit(row, t, v, label[i].item<std::int64_t>(), sharpness_));
        }
        return result;
    }

  private:
    double sharpness_;
    std::size_t values_;
};

// --- The slow reference: plain loops over one sample ----------------------------------------------------

struct Reference {
    Vector log_p, normalised, hinge;
};

Reference reference(std::vector<Vector> const& logits, Tokens const& tokens) {
    Reference result;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
        auto const y = static_cast<std::size_t>(tokens[t]);
        double sum = 0, mu = 0, second = 0, other = -INFINITY;
        for (double l : logits[t])
            sum += std::exp(l);
        for (std::size_t v = 0; v < logits[t].size(); ++v) {
            double const log_p = logits[t][v] - std::log(sum);
            mu += std::exp(log_p) * log_p;
            second += std::exp(log_p) * log_p * log_p;
            if (v != y)
                other = std::max(other, logits[t][v]);
        }
        double const log_p = logits[t][y] - std::log(sum);
        result.log_p.push_back(log_p);
        result.normalised.push_back((log_p - mu) / std::sqrt(std::max(second - mu * mu, 0.0) + 1e-6));
        result.hinge.push_back(logits[t][y] - other);
    }
    return result;
}

double mean(Vector const& values) {
    double sum = 0;
    for (double value : values)
        sum += value;
    return sum / static_cast<double>(values.size());
}

double mean_of_smallest(Vector values, double share) {
    std::sort(values.begin(), values.end());
    auto const count = static_cast<std::size_t>(
        std::max(1.0, std::floor(share * static_cast<double>(values.size()) + 1e-9)));
    return mean({values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count)});
}

double share_below_mean(Vector const& values) {
    double below = 0;
    for (double value : values)
        below += value < mean(values);
    return below / static_cast<double>(values.size());
}

double share_below_running_mean(Vector const& values) {
    double below = 0, sum = 0;
    for (std::size_t t = 0; t < values.size(); ++t) {
        sum += values[t];
        below += values[t] < sum / static_cast<double>(t + 1);
    }
    return below / static_cast<double>(values.size());
}

double slope(Vector const& values) {
    double const n = static_cast<double>(values.size());
    double st = 0, sv = 0, stt = 0, stv = 0;
    for (std::size_t t = 0; t < values.size(); ++t) {
        auto const at = static_cast<double>(t);
        st += at;
        sv += values[t];
        stt += at * at;
        stv += at * values[t];
    }
    return (n * stv - st * sv) / (n * stt - st * st);
}

std::map<std::string, double> expected(Reference const& r) {
    std::map<std::string, double> values{
        {"loss", mean(r.log_p)},
        {"hinge", mean(r.hinge)},
        {"below_mean", -share_below_mean(r.log_p)},
        {"below_mean_normalised", -share_below_mean(r.normalised)},
        {"below_running_mean", share_below_running_mean(r.log_p)},
        {"below_running_mean_normalised", share_below_running_mean(r.normalised)},
        {"slope", -slope(r.log_p)}};
    for (int percent : {10, 20, 30, 40, 50, 60, 100}) {
        values[fmt::format("min_k_{}", percent)] = mean_of_smallest(r.log_p, percent / 100.0);
        values[fmt::format("min_k_plus_{}", percent)] = mean_of_smallest(r.normalised, percent / 100.0);
    }
    return values;
}

// --- Cases ------------------------------------------------------------------------------------------------

std::vector<Tokens> const kSamples{{0, 1, 2, 3, 4, 0, 0, 0, 2, 2, 1, 3, 4},
                                   {4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4},
                                   {1, 0, 3, 2, 0, 4, 1, 1, 3, 0, 2, 4, 0}};
Tokens const kLabels{2, 0, 1};

model::Batch batch_of(std::vector<Tokens> const& samples, Tokens const& labels) {
    std::vector<float> flat;
    for (Tokens const& sample : samples)
        flat.insert(flat.end(), sample.begin(), sample.end());
    model::Batch batch{{},
                       torch::tensor(flat).reshape({static_cast<std::int64_t>(samples.size()), -1}),
                       torch::tensor(labels, torch::kInt64)};
    for (std::size_t i = 0; i < samples.size(); ++i)
        batch.ids.push_back(10 + i);
    return batch;
}

std::vector<SignalInfo> all() {
    return choose_signals(std::vector<std::string>{"default"}, {"autoregressive"});
}

std::map<std::string, torch::Tensor> values_of(model::Autoregressive& model, model::Batch const& batch) {
    auto const signals = all();
    torch::Tensor const values = autoregressive_signals(model, batch, signals);
    EXPECT_EQ(values.scalar_type(), torch::kFloat32);
    EXPECT_EQ(values.sizes(), (std::vector<std::int64_t>{static_cast<std::int64_t>(signals.size()),
                                                         static_cast<std::int64_t>(batch.ids.size())}));
    std::map<std::string, torch::Tensor> result;
    for (std::size_t k = 0; k < signals.size(); ++k)
        result[signals[k].name] = values[static_cast<std::int64_t>(k)];
    return result;
}

// Logits as float, as the model gives them
std::vector<Vector> logits_of(Tokens const& tokens, std::int64_t label, double sharpness) {
    std::vector<Vector> rows(tokens.size(), Vector(5));
    for (std::size_t t = 0; t < tokens.size(); ++t)
        for (std::size_t v = 0; v < 5; ++v)
            rows[t][v] = static_cast<float>(logit(tokens, t, v, label, sharpness));
    return rows;
}

struct AutoregressiveSignals : testing::TestWithParam<double> {};

} // namespace

TEST_P(AutoregressiveSignals, MatchPlainLoops) {
    Waves waves(GetParam(), 5);
    auto const found = values_of(waves, batch_of(kSamples, kLabels));
    for (std::size_t i = 0; i < kSamples.size(); ++i) {
        auto const under_label = logits_of(kSamples[i], kLabels[i], GetParam());
        auto const under_null = logits_of(kSamples[i], -1, GetParam());
        auto difference = under_label;
        for (std::size_t t = 0; t < difference.size(); ++t)
            for (std::size_t v = 0; v < 5; ++v)
                difference[t][v] -= under_null[t][v];
        Reference const conditional = reference(under_label, kSamples[i]);
        std::map<std::string, double> want;
        for (auto const& [name, value] : expected(conditional))
            want[name] = value;
        for (auto const& [name, value] : expected(reference(difference, kSamples[i])))
            want["guidance_" + name] = value;
        want["label_gain"] = mean(conditional.log_p) - mean(reference(under_null, kSamples[i]).log_p);
        for (auto const& [name, values] : found)
            if (!name.ends_with("zlib")) { // below
                EXPECT_NEAR(values[static_cast<std::int64_t>(i)].item<double>(), want.at(name),
                            1e-5 * std::abs(want.at(name)) + 1e-6)
                    << name << " of sample " << i;
            }
    }
}

TEST_P(AutoregressiveSignals, DoNotDependOnTheBatch) {
    Waves waves(GetParam(), 5);
    auto const together = values_of(waves, batch_of(kSamples, kLabels));
    for (std::size_t i = 0; i < kSamples.size(); ++i)
        for (auto const& [name, values] : values_of(waves, batch_of({kSamples[i]}, {kLabels[i]})))
            EXPECT_EQ(values[0].item<float>(), together.at(name)[static_cast<std::int64_t>(i)].item<float>())
                << name;
}

INSTANTIATE_TEST_SUITE_P(FromUnsureToSure, AutoregressiveSignals, testing::Values(0.1, 1.0, 8.0));

// 33 and 14 bytes: len(zlib.compress(str([...]).encode())) of Python
TEST(AutoregressiveSignal, ZlibDividesByTheSizeThatPythonFinds) {
    Waves waves(1, 5);
    auto const found = values_of(waves, batch_of({kSamples[0], kSamples[1]}, {2, 0}));
    torch::Tensor const sizes = found.at("guidance_loss") / found.at("guidance_zlib");
    EXPECT_NEAR(sizes[0].item<double>(), 33, 1e-3);
    EXPECT_NEAR(sizes[1].item<double>(), 14, 1e-3);
}

TEST(AutoregressiveSignal, StayFiniteForExtremeLogitsAndASingleToken) {
    for (double sharpness : {0.0, 1e4}) {
        Waves waves(sharpness, 5);
        for (auto const& samples : {kSamples, std::vector<Tokens>{{0}, {4}, {2}}})
            for (auto const& [name, values] : values_of(waves, batch_of(samples, kLabels)))
                EXPECT_TRUE(torch::isfinite(values).all().item<bool>()) << name << " at " << sharpness;
    }
}

TEST(AutoregressiveSignal, RowsFollowThePlan) {
    Waves waves(1, 5);
    model::Batch const batch = batch_of(kSamples, kLabels);
    auto signals = all();
    torch::Tensor const forwards = autoregressive_signals(waves, batch, signals);
    std::reverse(signals.begin(), signals.end());
    EXPECT_TRUE(torch::equal(autoregressive_signals(waves, batch, signals), forwards.flip({0})));
}
