#include "assay/model/diffusion.hpp"

#include "assay/model/diffusion_networks.hpp"
#include "data/fixtures.hpp"

#include <cmath>
#include <numbers>

using namespace assay;
using namespace assay::model;
using data::test::error_of;
using data::test::expect_in;

namespace {

// Data whose values are independent normals (mean of the label, deviation): the best eps is in closed form
class Gaussian : public Diffusion {
  public:
    explicit Gaussian(std::int64_t steps) : alphas_(cosine_schedule(steps)) {}

    static double mean(std::int64_t label) { return 0.3 - 0.2 * static_cast<double>(label); }
    static constexpr double kDeviation = 0.1;

    torch::Tensor encode(torch::Tensor const& x) override { return x; }
    // E[noise | x_t]
    torch::Tensor eps(torch::Tensor const& x, torch::Tensor const& t, torch::Tensor const& label) override {
        torch::Tensor const alpha = alphas_.index_select(0, t).unsqueeze(1);
        torch::Tensor const mean = (0.3 - 0.2 * label.to(torch::kFloat32)).unsqueeze(1);
        torch::Tensor const variance = alpha * kDeviation * kDeviation + 1 - alpha;
        return (1 - alpha).sqrt() * (x - alpha.sqrt() * mean) / variance;
    }
    torch::Tensor alphas_cumprod() override { return alphas_; }

  private:
    torch::Tensor alphas_;
};

std::vector<std::uint64_t> ids_of(std::uint64_t count) {
    std::vector<std::uint64_t> ids(count);
    for (std::uint64_t i = 0; i < count; ++i)
        ids[i] = i;
    return ids;
}

torch::Tensor noise(std::uint64_t count, std::int64_t values, std::uint64_t seed = 1) {
    return keyed_normals(ids_of(count), {values}, seed, "test", torch::kCPU);
}

torch::Tensor labels(std::int64_t count, std::int64_t label) {
    return torch::full({count}, label, torch::kInt64);
}

} // namespace

TEST(CosineSchedule, FallsAsInThePaper) {
    torch::Tensor const alphas = cosine_schedule(100);
    ASSERT_EQ(alphas.sizes(), (std::vector<std::int64_t>{100}));
    auto const f = [](double share) {
        return std::pow(std::cos((share + 0.008) / 1.008 * std::numbers::pi / 2), 2);
    };
    for (std::int64_t t : {0, 1, 49, 80, 98}) // the last step's noise is bounded
        EXPECT_NEAR(alphas[t].item<double>(), f(static_cast<double>(t + 1) / 100) / f(0), 1e-6);
    EXPECT_TRUE((alphas.slice(0, 1) < alphas.slice(0, 0, 99)).all().item<bool>());
    EXPECT_GT(alphas[99].item<double>(), 0);
}

TEST(AddNoise, HasTheMomentsOfItsTime) {
    torch::Tensor const alphas = torch::tensor({0.9F, 0.5F, 0.1F});
    torch::Tensor const x = torch::full({3, 4000}, 0.6);
    torch::Tensor const noisy = add_noise(x, noise(3, 4000), torch::tensor({2, 0, 1}, torch::kInt64), alphas);
    double const expected[] = {0.1, 0.9, 0.5};
    for (std::int64_t i = 0; i < 3; ++i) {
        EXPECT_NEAR(noisy[i].mean().item<double>(), std::sqrt(expected[i]) * 0.6, 0.06);
        EXPECT_NEAR(noisy[i].var().item<double>(), 1 - expected[i], 0.05);
    }
}

// Of x_t almost nothing is the sample's at that time: a model of the noise sees it, one of the sample is off
// by all of it
TEST(LateError, TellsModelsOfTheNoiseFromOthers) {
    class OfTheSample : public Gaussian {
      public:
        using Gaussian::Gaussian;
        torch::Tensor eps(torch::Tensor const& x, torch::Tensor const&, torch::Tensor const& label) override {
            return torch::zeros_like(x) + (0.3 - 0.2 * label.to(torch::kFloat32)).unsqueeze(1);
        }
    };
    Batch const batch{ids_of(4), Gaussian::mean(1) + Gaussian::kDeviation * noise(4, 2000, 7), labels(4, 1)};
    Gaussian right(1000);
    OfTheSample wrong(1000);
    EXPECT_LT(late_error(right, batch), 0.05);
    EXPECT_NEAR(late_error(wrong, batch), 1, 0.1);
}

// A redrawn sample comes from the data's distribution, and the less noise it got, the more of the given one
// is left
TEST(Redraw, KeepsTheDistributionAndSomeOfTheSample) {
    Gaussian model(1000);
    torch::Tensor const x = Gaussian::mean(1) + Gaussian::kDeviation * noise(4, 5000, 7);
    double before = 1;
    for (double strength : {0.05, 0.2, 0.6}) {
        torch::Tensor const drawn = redraw(model, x, labels(4, 1), ids_of(4),
                                           {.strength = strength, .steps = 50, .seed = 3, .purpose = "test"});
        EXPECT_NEAR(drawn.mean().item<double>(), Gaussian::mean(1), 0.01) << strength;
        EXPECT_NEAR(drawn.std().item<double>(), Gaussian::kDeviation, 0.015) << strength;
        torch::Tensor const a = x - x.mean(), b = drawn - drawn.mean();
        double const correlation = ((a * b).mean() / (x.std() * drawn.std())).item<double>();
        EXPECT_LT(correlation, before - 0.03) << strength;
        before = correlation;
    }
    EXPECT_NEAR(before, 0, 0.05);
}

TEST(Redraw, DrawsBySeedPurposeAndId) {
    Gaussian model(100);
    torch::Tensor const x = torch::full({3, 6}, 0.1);
    auto const drawn = [&](std::vector<std::uint64_t> const& ids, std::uint64_t seed, char const* purpose) {
        return redraw(model, x.slice(0, 0, static_cast<std::int64_t>(ids.size())),
                      labels(static_cast<std::int64_t>(ids.size()), 0), ids,
                      {.seed = seed, .purpose = purpose});
    };
    torch::Tensor const all = drawn({4, 9, 2}, 1, "a");
    EXPECT_TRUE(torch::equal(drawn({9}, 1, "a")[0], all[1]));
    EXPECT_FALSE(torch::equal(drawn({9}, 2, "a")[0], all[1]));
    EXPECT_FALSE(torch::equal(drawn({9}, 1, "b")[0], all[1]));
    EXPECT_FALSE(torch::equal(all[0], all[1]));
}

TEST(DenoisingLoss, OfTheBestDenoiserIsThePosteriorVariance) {
    Gaussian model(50);
    std::int64_t const count = 8, values = 5000;
    for (std::int64_t time : {2, 20, 40}) {
        torch::Tensor const x = Gaussian::mean(1) + Gaussian::kDeviation * noise(count, values, 2);
        double const loss =
            denoising_loss(model, x, noise(count, values, 3), torch::full({count}, time), labels(count, 1))
                .mean()
                .item<double>();
        double const alpha = model.alphas_cumprod()[time].item<double>();
        double const own = alpha * Gaussian::kDeviation * Gaussian::kDeviation;
        EXPECT_NEAR(loss, own / (own + 1 - alpha), 0.02 * own / (own + 1 - alpha)) << time;
    }
}

// The path of a normal is known: x_0 = mean + deviation * (x_T standardised)
TEST(Ddim, RecoversANormalFromItsBestDenoiser) {
    Gaussian model(1000);
    for (std::int64_t label : {0, 2}) {
        torch::Tensor const start = noise(400, 3);
        torch::Tensor const expected = Gaussian::mean(label) + Gaussian::kDeviation * start;
        torch::Tensor const fine = ddim_sample(model, start, labels(400, label), 1000, 1);
        EXPECT_LT((fine - expected).abs().max().item<double>(), 0.01);
        torch::Tensor const coarse = ddim_sample(model, start, labels(400, label), 50, 1);
        EXPECT_NEAR(coarse.mean().item<double>(), Gaussian::mean(label), 0.01);
        EXPECT_NEAR(coarse.std().item<double>(), Gaussian::kDeviation, 0.02);
    }
}

TEST(Ddim, GuidanceLeadsAwayFromTheNullLabel) {
    Gaussian model(1000);
    torch::Tensor const start = noise(400, 3);
    auto const mean = [&](std::int64_t label, double guidance) {
        return ddim_sample(model, start, labels(400, label), 50, guidance).mean().item<double>();
    };
    // Means of the null label and of label 1 are 0.5 and 0.1; eps is linear in the mean
    EXPECT_NEAR(mean(1, 0), 0.5, 0.01);
    EXPECT_NEAR(mean(1, 1.5), 0.5 + 1.5 * (0.1 - 0.5), 0.01);
    EXPECT_NEAR(mean(1, 1), 0.1, 0.01);
}

TEST(Ddim, ClipsToTheRangeOfTheData) {
    Gaussian model(100);
    torch::Tensor const x = ddim_sample(model, noise(50, 3), labels(50, -4), 10, 1); // mean 1.1
    EXPECT_LE(x.max().item<double>(), 1);
    EXPECT_GT(x.mean().item<double>(), 0.9);
}

TEST(Ddim, RefusesMoreStepsThanThereAre) {
    Gaussian model(10);
    for (std::int64_t steps : {0, 11})
        expect_in(error_of(Exit::usage, [&] { ddim_sample(model, noise(1, 3), labels(1, 0), steps, 1); }),
                  {"generate.steps", "10 steps"});
}

TEST(Ddpm, KeepsTheContractOfADiffusion) {
    job::Generator options;
    options.network = "ddpm";
    options.width = 8;
    options.timesteps = 30;
    auto const network =
        make_generator(options, {10, {2, 8, 12}, data::SampleType::uint8, "NCHW", true}, 3, 1);
    network->eval();
    auto& model = dynamic_cast<Diffusion&>(*network);
    EXPECT_TRUE(torch::equal(model.alphas_cumprod(), cosine_schedule(30)));
    torch::Tensor const x = keyed_normals(ids_of(1), {2, 8, 12}, 1, "test", torch::kCPU).repeat({5, 1, 1, 1});
    torch::Tensor const t = torch::tensor({7, 7, 7, 7, 29}, torch::kInt64);
    torch::Tensor const eps = model.eps(x, t, torch::tensor({-1, 0, 1, 2, 2}, torch::kInt64));
    EXPECT_EQ(eps.sizes(), x.sizes());
    EXPECT_EQ(eps.scalar_type(), torch::kFloat32);
    for (std::int64_t a = 0; a < 5; ++a) // labels, none, and another time: all of them matter
        for (std::int64_t b = 0; b < a; ++b)
            EXPECT_FALSE(torch::allclose(eps[a], eps[b], 1e-3, 1e-4)) << a << " and " << b;
}

TEST(Ddpm, LossIsTheDenoisingLossOfTheImageBetweenMinusOneAndOne) {
    job::Generator options;
    options.network = "ddpm";
    options.width = 8;
    options.timesteps = 1; // one time: nothing to draw but the noise
    auto const network =
        make_generator(options, {10, {1, 8, 8}, data::SampleType::uint8, "NCHW", true}, 3, 1);
    network->eval();
    Batch batch{{5, 6}, noise(2, 64).sigmoid().reshape({2, 1, 8, 8}), torch::tensor({0, 2}, torch::kInt64)};
    torch::Tensor const drawn = keyed_normals(batch.ids, {1, 8, 8}, 9, "diffusion noise", torch::kCPU);
    torch::Tensor const expected = denoising_loss(dynamic_cast<Diffusion&>(*network), 2 * batch.x - 1, drawn,
                                                  torch::zeros({2}, torch::kInt64), batch.y);
    EXPECT_TRUE(torch::allclose(network->loss(batch, 9).loss, expected));
}

namespace {

job::Train training(std::string const& network, std::int64_t pool) {
    job::Train train;
    train.network = network;
    train.width = 16;
    train.pool = pool;
    return train;
}

data::DatasetInfo images(std::uint64_t side) {
    return {10, {2, side, side}, data::SampleType::uint8, "NCHW", true};
}

// What check_diffusion() says of a Gaussian that is changed in one way
struct Flawed : Gaussian {
    Flawed() : Gaussian(100) {}
    torch::Tensor encode(torch::Tensor const& x) override {
        return bad_latent ? x / 0 : draws_latent ? x + ++calls : x;
    }
    torch::Tensor eps(torch::Tensor const& x, torch::Tensor const& t, torch::Tensor const& label) override {
        torch::Tensor const wrapped = torch::where(label < 0, torch::full_like(label, 1), label); // table[-1]
        torch::Tensor const found = Gaussian::eps(x, t,
                                                  ignores_label        ? torch::zeros_like(label)
                                                  : reads_from_the_end ? wrapped
                                                                       : label);
        if (in_place)
            const_cast<torch::Tensor&>(x).mul_(0.5);
        if (draws_noise)
            return found + ++calls;
        return bad_time >= 0 && t[0].item<std::int64_t>() == bad_time ? found / 0 : found;
    }
    torch::Tensor alphas_cumprod() override { return alphas.defined() ? alphas : Gaussian::alphas_cumprod(); }

    bool bad_latent = false, ignores_label = false, reads_from_the_end = false;
    bool in_place = false, draws_latent = false, draws_noise = false;
    int calls = 0;
    std::int64_t bad_time = -1;
    torch::Tensor alphas;
};

std::string refusal_of(auto const& flaw) {
    Flawed model;
    flaw(model);
    Batch const trial{{1, 2}, noise(2, 3), torch::tensor({0, 1}, torch::kInt64)};
    return error_of(Exit::data, [&] { check_diffusion(model, trial, 2, "target.pt"); });
}

} // namespace

TEST(CheckDiffusion, TakesAModelThatKeepsTheContract) {
    Gaussian model(100);
    check_diffusion(model, {{1, 2}, noise(2, 3), torch::tensor({0, 1}, torch::kInt64)}, 2, "target.pt");
}

TEST(CheckDiffusion, NamesWhatDoesNotFit) {
    expect_in(refusal_of([](Flawed& model) { model.ignores_label = true; }),
              {"target.pt", "label -1", "null class"});
    expect_in(refusal_of([](Flawed& model) { model.reads_from_the_end = true; }),
              {"target.pt", "label -1", "equals that under label 1", "null class"});
    expect_in(refusal_of([](Flawed& model) { model.in_place = true; }),
              {"target.pt", "forward(x_t, t, label)", "in place", "Copy"});
    expect_in(refusal_of([](Flawed& model) { model.draws_latent = true; }),
              {"target.pt", "encode(x)", "from call to call", "mean of the posterior"});
    expect_in(refusal_of([](Flawed& model) { model.draws_noise = true; }),
              {"target.pt", "forward(x_t, t, label)", "from call to call", "random"});
    expect_in(refusal_of([](Flawed& model) { model.bad_latent = true; }), {"target.pt", "encode(x)", "NaN"});
    for (std::int64_t time : {0, 99})
        expect_in(refusal_of([&](Flawed& model) { model.bad_time = time; }),
                  {"target.pt", "at step " + std::to_string(time), "NaN or infinity"});
    for (torch::Tensor const& alphas :
         {torch::tensor({0.5F}), torch::linspace(0.9, 0.1, 99),
          torch::linspace(0.9, 0.1, 100, torch::kFloat64), torch::ones({2, 100})})
        expect_in(refusal_of([&](Flawed& model) { model.alphas = alphas; }),
                  {"target.pt", "alphas_cumprod is", "float32 [T]"});
    auto const from_to = [](double first, double last) { return torch::linspace(first, last, 100); };
    for (torch::Tensor const& alphas :
         {from_to(0.1, 0.9), from_to(1.5, 0.1), from_to(0.5, 0), torch::full({100}, NAN),
          from_to(0.9999, 0.98), torch::full({100}, 0.3), torch::ones({100})})
        expect_in(refusal_of([&](Flawed& model) { model.alphas = alphas; }),
                  {"target.pt", "must fall", "1 - beta"});
}

TEST(MakeDiffusion, KeepsTheContractAtEitherPooling) {
    for (auto const& [name, pool, side] :
         {std::tuple{"ddpm", 1, 8}, {"ddpm", 2, 16}, {"ddpm_mlp", 1, 6}, {"ddpm_mlp", 2, 14}}) {
        auto const network =
            make_diffusion(training(name, pool), images(static_cast<std::uint64_t>(side)), 3, 1);
        network->eval();
        Batch const trial{{1, 2},
                          noise(2, 2 * side * side).sigmoid().reshape({2, 2, side, side}),
                          torch::tensor({0, 2}, torch::kInt64)};
        check_diffusion(*network, trial, 3, name);
        torch::Tensor const x = network->encode(trial.x);
        EXPECT_EQ(x.sizes(), (std::vector<std::int64_t>{2, 2, side / pool, side / pool}));
        EXPECT_NEAR(x.mean().item<double>(), (2 * trial.x - 1).mean().item<double>(), 1e-6);
        network->loss(trial, 4).loss.sum().backward();
        for (auto const& parameter : network->named_parameters())
            EXPECT_GT(parameter.value().grad().abs().max().item<double>(), 0) << name << parameter.key();
    }
}

TEST(MakeDiffusion, ParametersAreAFunctionOfTheSeed) {
    auto const parameters = [](std::uint64_t seed) {
        std::vector<torch::Tensor> flat;
        for (torch::Tensor const& parameter :
             make_diffusion(training("ddpm_mlp", 2), images(4), 3, seed)->parameters())
            flat.push_back(parameter.flatten());
        return torch::cat(flat);
    };
    EXPECT_TRUE(torch::equal(parameters(1), parameters(1)));
    EXPECT_FALSE(torch::equal(parameters(1), parameters(2)));
}

TEST(MakeDiffusion, RefusesImagesThatItCannotTake) {
    expect_in(error_of(Exit::usage, [] { make_diffusion(training("ddpm_mlp", 4), images(6), 3, 1); }),
              {"\"ddpm_mlp\"", "model.train.pool=4", "2x6x6"});
    expect_in(error_of(Exit::usage, [] { make_diffusion(training("ddpm", 2), images(12), 3, 1); }),
              {"\"ddpm\"", "that 8 divides", "2x12x12"});
    job::Train odd = training("ddpm_mlp", 2);
    odd.width = 15;
    expect_in(error_of(Exit::usage, [&] { make_diffusion(odd, images(4), 3, 1); }),
              {"model.train.width=15", "even"});
    auto const network = make_diffusion(training("ddpm_mlp", 2), images(4), 3, 1);
    expect_in(error_of(Exit::data,
                       [&] {
                           network->encode(torch::full({1, 2, 4, 4}, 1.5));
                       }),
              {"1.5", "[0, 1]"});
}
