#include "assay/usage/diffusion_signals.hpp"

#include "usage/row_minima.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include <torch/optim/lbfgs.h>

using namespace assay;
using namespace assay::usage;

namespace {

using Vector = std::vector<double>;

constexpr std::int64_t kSteps = 200; // times 100 and 110 of SecMI are two steps
constexpr std::size_t kValues = 12;  // of a sample: 1 x 3 x 4
constexpr std::uint64_t kSeed = 5;

// A made-up denoiser of samples in [0, 1], diffused between -1 and 1
Vector eps(Vector const& x, std::int64_t step, std::int64_t label) {
    double const height = 0.8 + 0.003 * static_cast<double>(step) + 0.1 * static_cast<double>(label);
    Vector result(x.size());
    for (std::size_t i = 0; i < x.size(); ++i)
        result[i] = height * std::sin(1.3 * x[i] + 0.2 * static_cast<double>(i)) +
                    0.3 * x[(i + 1) % x.size()] + 0.05 * static_cast<double>(label);
    return result;
}

// Its derivative, transposed, times a vector
Vector pulled_back(Vector const& x, std::int64_t step, std::int64_t label, Vector const& v) {
    double const height = 0.8 + 0.003 * static_cast<double>(step) + 0.1 * static_cast<double>(label);
    Vector result(x.size());
    for (std::size_t i = 0; i < x.size(); ++i)
        result[i] = height * 1.3 * std::cos(1.3 * x[i] + 0.2 * static_cast<double>(i)) * v[i] +
                    0.3 * v[(i + x.size() - 1) % x.size()];
    return result;
}

class Ripples : public model::Diffusion {
  public:
    torch::Tensor encode(torch::Tensor const& x) override { return 2 * x - 1; }
    torch::Tensor eps(torch::Tensor const& x, torch::Tensor const& t, torch::Tensor const& label) override {
        auto const per_row = [&](torch::Tensor const& values) {
            return values.to(torch::kFloat32).reshape({-1, 1});
        };
        torch::Tensor const flat = x.flatten(1);
        torch::Tensor const place = torch::arange(flat.size(1), torch::kFloat32);
        torch::Tensor const height = 0.8 + 0.003 * per_row(t) + 0.1 * per_row(label);
        return (height * torch::sin(1.3 * flat + 0.2 * place) + 0.3 * flat.roll(-1, 1) +
                0.05 * per_row(label))
            .reshape(x.sizes());
    }
    torch::Tensor alphas_cumprod() override { return model::cosine_schedule(kSteps); }
};

model::Batch batch_of(std::vector<std::uint64_t> const& ids) {
    model::Batch batch{ids, torch::empty({static_cast<std::int64_t>(ids.size()), 1, 3, 4}),
                       torch::empty({static_cast<std::int64_t>(ids.size())}, torch::kInt64)};
    for (std::size_t i = 0; i < ids.size(); ++i) {
        auto const row = static_cast<std::int64_t>(i);
        batch.x[row] = model::keyed_normals({ids[i]}, {1, 3, 4}, 1, "samples", torch::kCPU)[0].sigmoid();
        batch.y[row] = static_cast<std::int64_t>(ids[i] % 3);
    }
    return batch;
}

Vector doubles(torch::Tensor const& tensor) {
    torch::Tensor const flat = tensor.detach().to(torch::kFloat64).flatten().contiguous();
    return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

double norm(Vector const& v, double p = 2) {
    double sum = 0;
    for (double value : v)
        sum += std::pow(std::abs(value), p);
    return std::pow(sum, 1 / p);
}

Vector combined(double a, Vector const& x, double b, Vector const& y) {
    Vector result(x.size());
    for (std::size_t i = 0; i < x.size(); ++i)
        result[i] = a * x[i] + b * y[i];
    return result;
}

double mean_square(Vector const& v) {
    return std::pow(norm(v), 2) / static_cast<double>(v.size());
}

// One sample, its signals in plain loops from the formulas
struct Plain {
    std::uint64_t id;
    Vector z;
    std::int64_t label;
    Vector alphas = doubles(model::cosine_schedule(kSteps));

    static std::int64_t step(std::int64_t time) { return time * kSteps / 1000; }
    double alpha(std::int64_t time) const { return alphas[static_cast<std::size_t>(step(time))]; }
    Vector noise(std::string const& purpose) const {
        return doubles(model::keyed_normals({id}, {1, 3, 4}, kSeed, purpose, torch::kCPU));
    }
    Vector noise(std::int64_t time, std::int64_t draw) const {
        return noise("diffusion signal " + std::to_string(time) + "/" + std::to_string(draw));
    }
    Vector noisy(Vector const& sample, Vector const& e, std::int64_t time) const {
        return combined(std::sqrt(alpha(time)), sample, std::sqrt(1 - alpha(time)), e);
    }
    Vector error(Vector const& sample, Vector const& e, std::int64_t time, std::int64_t y) const {
        return combined(1, eps(noisy(sample, e, time), step(time), y), -1, e);
    }

    double log_loss(std::int64_t time, std::int64_t y) const {
        double sum = 0;
        for (std::int64_t draw = 0; draw < 3; ++draw)
            sum += mean_square(error(z, noise(time, draw), time, y));
        return std::log(sum / 3);
    }

    double reconstruction(std::int64_t time) const {
        double const a = alpha(time);
        Vector const x_t = combined(std::sqrt(a), z, 0, z);
        Vector const back =
            combined(1 / std::sqrt(a), x_t, -std::sqrt(1 - a) / std::sqrt(a), eps(x_t, step(time), label));
        return -std::log(mean_square(combined(1, back, -1, z)));
    }

    double loss_norm(std::int64_t time) const {
        double sum = 0;
        for (std::int64_t draw = 0; draw < 5; ++draw)
            sum += norm(error(z, noise(time, draw), time, label));
        return -sum / 5;
    }

    Vector stepped(Vector const& x, std::int64_t from, std::int64_t to) const {
        Vector const e = eps(x, step(from), label);
        Vector const f = combined(1 / std::sqrt(alpha(from)), x, -std::sqrt(1 / alpha(from) - 1), e);
        return combined(std::sqrt(alpha(to)), f, std::sqrt(1 - alpha(to)), e);
    }

    double secmi() const {
        Vector x = z;
        for (std::int64_t time = 0; time < 100; time += 10)
            x = stepped(x, time, time + 10);
        return -norm(combined(1, x, -1, stepped(stepped(x, 100, 110), 110, 100)));
    }

    double pia(bool normalised) const {
        Vector own = eps(z, 0, label);
        double const scale =
            normalised ? static_cast<double>(kValues) * std::sqrt(std::numbers::pi / 2) / norm(own, 1) : 1;
        for (double& value : own)
            value *= scale;
        return -norm(error(z, own, 200, label), 5);
    }

    double gradient_mask(std::int64_t time) const {
        Vector const e = noise(time, 0), z_t = noisy(z, e, time);
        Vector const slope = pulled_back(z_t, step(time), label, error(z, e, time, label));
        std::vector<std::size_t> order(kValues);
        for (std::size_t i = 0; i < kValues; ++i)
            order[i] = i;
        std::sort(order.begin(), order.end(),
                  [&](std::size_t a, std::size_t b) { return std::abs(slope[a]) > std::abs(slope[b]); });
        order.resize(kValues / 5);
        Vector changed = z;
        for (std::size_t i : order)
            changed[i] = e[i];
        Vector const seen = eps(changed, step(time), label);
        Vector masked;
        for (std::size_t i : order)
            masked.push_back(e[i] - z[i] - seen[i]);
        return -norm(masked);
    }

    double clid(double share) const {
        double sum = 0;
        for (std::int64_t time : {440, 450, 460})
            for (std::int64_t draw = 0; draw < 3; ++draw) {
                double const named = norm(error(z, noise(time, draw), time, label));
                double const null = norm(error(z, noise(time, draw), time, model::kNullLabel));
                sum += share * (null - named) - (1 - share) * named;
            }
        return sum / 9;
    }

    double pfami() const {
        auto const loss = [&](Vector const& x) {
            double sum = 0;
            for (std::int64_t time = 0; time <= 450; time += 50)
                sum += mean_square(error(x, noise(time, 0), time, label));
            return sum / 10;
        };
        double sum = 0;
        for (int draw = 0; draw < 10; ++draw)
            sum += loss(combined(1, z, 0.02 * (draw + 1), noise("neighbour " + std::to_string(draw)))) /
                       loss(z) -
                   1;
        return sum / 10;
    }

    std::map<std::string, double> all() const {
        std::map<std::string, double> want{
            {"secmi", secmi()}, {"pia", pia(false)}, {"pian", pia(true)}, {"pfami", pfami()}};
        for (std::int64_t time : {50, 150, 300}) {
            want["denoising_" + std::to_string(time)] = -log_loss(time, label);
            want["label_gain_" + std::to_string(time)] = log_loss(time, -1) - log_loss(time, label);
        }
        for (std::int64_t time : {200, 400})
            want["reconstruction_" + std::to_string(time)] = reconstruction(time);
        for (std::int64_t time = 0; time < 1000; time += 100) {
            want["loss_norm_" + std::to_string(time)] = loss_norm(time);
            want["gradient_mask_" + std::to_string(time)] = gradient_mask(time);
        }
        for (int tenth = 0; tenth <= 10; ++tenth)
            want["clid_" + std::to_string(tenth)] = clid(tenth / 10.0);
        return want;
    }
};

Plain plain(model::Batch const& batch, std::int64_t row) {
    return {batch.ids[static_cast<std::size_t>(row)], doubles(2 * batch.x[row] - 1),
            batch.y[row].item<std::int64_t>()};
}

std::vector<SignalInfo> every_signal() {
    return choose_signals(std::vector<std::string>{"all"}, {"diffusion"});
}

torch::Tensor signals_of(model::Batch const& batch, std::vector<SignalInfo> const& signals) {
    Ripples ripples;
    return diffusion_signals(ripples, batch, {signals, 0, kSeed});
}

std::vector<std::uint64_t> const kIds{4, 9, 23, 1000};

// [rows] of a polynomial of fourth degree in each row's values, far from alike
torch::Tensor valley(torch::Tensor const& x) {
    torch::Tensor const flat = x.flatten(1);
    torch::Tensor const place = torch::arange(1, flat.size(1) + 1, torch::kFloat32);
    return (flat - place).square().mul(place).sum(1) + 0.1 * (flat.sum(1) - 2).pow(4) + 1;
}

} // namespace

TEST(DiffusionSignals, MatchPlainLoops) {
    model::Batch const batch = batch_of(kIds);
    auto const signals = every_signal();
    torch::Tensor const values = signals_of(batch, signals);
    EXPECT_EQ(values.scalar_type(), torch::kFloat32);
    ASSERT_EQ(values.sizes(), (std::vector<std::int64_t>{static_cast<std::int64_t>(signals.size()), 4}));
    for (std::int64_t i = 0; i < 4; ++i) {
        auto const want = plain(batch, i).all();
        EXPECT_EQ(want.size() + 2, signals.size()); // noise_fit_*: below
        for (std::size_t k = 0; k < signals.size(); ++k)
            if (!signals[k].name.starts_with("noise_fit")) {
                EXPECT_NEAR(values[static_cast<std::int64_t>(k)][i].item<double>(), want.at(signals[k].name),
                            1e-4 * std::abs(want.at(signals[k].name)) + 1e-5)
                    << signals[k].name << " of sample " << i;
            }
    }
}

// Torch's own optimiser, a sample at a time. Without line search, neither need go down
TEST(DiffusionSignals, NoiseFitIsThatOfTorchsOptimiser) {
    model::Batch const batch = batch_of(kIds);
    auto const signals =
        choose_signals(std::vector<std::string>{"noise_fit_loss", "noise_fit_norm"}, {"diffusion"});
    torch::Tensor const values = signals_of(batch, signals);
    Ripples ripples;
    for (std::int64_t i = 0; i < 4; ++i) {
        Plain const sample = plain(batch, i);
        torch::Tensor const noise = torch::tensor(sample.noise(100, 0)).to(torch::kFloat32).unsqueeze(0);
        torch::Tensor const z_t =
            torch::tensor(sample.noisy(sample.z, sample.noise(100, 0), 100)).to(torch::kFloat32).unsqueeze(0);
        torch::Tensor shift = torch::zeros_like(z_t).requires_grad_();
        auto const loss = [&] {
            return (ripples.eps(z_t + shift, torch::tensor({Plain::step(100)}), batch.y.slice(0, i, i + 1)) -
                    noise)
                .norm();
        };
        torch::optim::LBFGS optimiser({shift}, torch::optim::LBFGSOptions(1).max_iter(5));
        optimiser.step([&] {
            optimiser.zero_grad();
            torch::Tensor const value = loss();
            value.backward();
            return value;
        });
        EXPECT_NEAR(-values[0][i].item<double>(), loss().item<double>(), 1e-3 * loss().item<double>());
        EXPECT_NEAR(-values[1][i].item<double>(), shift.norm().item<double>(),
                    1e-3 * shift.norm().item<double>());
    }
}

TEST(DiffusionSignals, DoNotDependOnTheBatch) {
    auto const signals = every_signal();
    torch::Tensor const together = signals_of(batch_of(kIds), signals);
    for (std::size_t i = 0; i < kIds.size(); ++i)
        EXPECT_TRUE(torch::allclose(signals_of(batch_of({kIds[i]}), signals).select(1, 0),
                                    together.select(1, static_cast<std::int64_t>(i)), 1e-5, 1e-6));
}

// Versions of an item share its noise: the same sample under the same id has the same signals, under another
// not
TEST(DiffusionSignals, NoiseBelongsToTheId) {
    model::Batch batch = batch_of({7, 8});
    batch.x[1] = batch.x[0];
    batch.y[1] = batch.y[0];
    auto const signals =
        choose_signals(std::vector<std::string>{"denoising_50", "reconstruction_200"}, {"diffusion"});
    torch::Tensor const apart = signals_of(batch, signals);
    EXPECT_NE(apart[0][0].item<float>(), apart[0][1].item<float>());
    EXPECT_EQ(apart[1][0].item<float>(), apart[1][1].item<float>()); // without noise
    batch.ids = {7, 7};
    torch::Tensor const shared = signals_of(batch, signals);
    EXPECT_EQ(shared[0][0].item<float>(), shared[0][1].item<float>());
}

TEST(DiffusionSignals, LeaveNoGraphBehind) {
    model::Batch const batch = batch_of(kIds);
    EXPECT_FALSE(signals_of(batch, every_signal()).requires_grad());
}

TEST(Minimise, RowsAreFoundByThemselves) {
    std::vector<float> const widths{1, 0.3F, 2};
    auto const stretched = [](torch::Tensor const& x, std::vector<float> const& by) {
        return valley(x * torch::tensor(by).reshape({-1, 1, 1}));
    };
    auto const together =
        minimise([&](torch::Tensor const& x) { return stretched(x, widths); }, {3, 2, 3}, torch::kFloat32, 6);
    for (std::size_t row = 0; row < widths.size(); ++row) {
        auto const alone = minimise([&](torch::Tensor const& x) { return stretched(x, {widths[row]}); },
                                    {1, 2, 3}, torch::kFloat32, 6);
        EXPECT_LT(alone.value.item<double>(), valley(torch::zeros({1, 6})).item<double>());
        EXPECT_TRUE(torch::allclose(together.at[static_cast<std::int64_t>(row)], alone.at[0], 1e-4, 1e-4));
    }
    EXPECT_FALSE(torch::allclose(together.at[1], together.at[0], 1e-2, 1e-2));
}

TEST(Minimise, StaysWhereThereIsNoSlope) {
    auto const found = minimise([](torch::Tensor const& x) { return 0 * x.flatten(1).sum(1) + 3; }, {2, 4},
                                torch::kFloat32, 5);
    EXPECT_TRUE(torch::equal(found.at, torch::zeros({2, 4})));
    EXPECT_TRUE(torch::equal(found.value, torch::full({2}, 3.0F)));
}

// The third row's loss has no finite gradient but at 0: it stays there, and the others do not notice
TEST(Minimise, ARowThatLeavesTheNumbersStaysAtItsLastPlace) {
    auto const loss = [](torch::Tensor const& x) {
        torch::Tensor const steep =
            torch::exp(torch::tensor({0.F, 0.F, 1e30F}).unsqueeze(1) * x.flatten(1).abs());
        return valley(x) + steep.sum(1);
    };
    auto const found = minimise(loss, {3, 2, 3}, torch::kFloat32, 6);
    auto const alone =
        minimise([](torch::Tensor const& x) { return valley(x) + 6; }, {1, 2, 3}, torch::kFloat32, 6);
    EXPECT_TRUE(torch::isfinite(found.at).all().item<bool>());
    EXPECT_TRUE(torch::isfinite(found.value).all().item<bool>());
    EXPECT_TRUE(torch::equal(found.at[2], torch::zeros({2, 3})));
    EXPECT_TRUE(torch::allclose(found.at[0], alone.at[0], 1e-4, 1e-4));
}
