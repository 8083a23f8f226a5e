#include "assay/model/train.hpp"

#include "assay/base/random.hpp"
#include "assay/base/sha256.hpp"
#include "assay/base/signals.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/data/split.hpp"
#include "assay/model/autoregressive_networks.hpp"
#include "assay/model/checkpoint.hpp"
#include "assay/model/classifier_networks.hpp"
#include "assay/model/diffusion_networks.hpp"
#include "assay/model/generator_networks.hpp"
#include "data/part_fixtures.hpp"
#include "model/layers.hpp"
#include "model/weight_average.hpp"
#include "support/world.hpp"

#include <csignal>
#include <numbers>

#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

using namespace assay;
using namespace assay::model;
using assay::test::SharedFolder;
using assay::test::world;
using data::test::expect_in;

namespace {

// Two classes of images [1, 8, 8], told apart by the side on which they are bright, with noise. Root writes
void write_images(std::filesystem::path const& path, std::size_t count, std::uint64_t seed, float scale = 1) {
    comm::agree(world(), [&] {
        if (!world().is_root())
            return;
        data::DatasetInfo const info{count, {1, 8, 8}, data::SampleType::float32, "NCHW", true};
        Random random(seed, "test images");
        std::vector<float> values(count * 64);
        std::vector<std::int64_t> labels(count);
        for (std::size_t i = 0; i < count; ++i) {
            labels[i] = static_cast<std::int64_t>(i % 2);
            for (std::size_t pixel = 0; pixel < 64; ++pixel)
                values[i * 64 + pixel] =
                    scale * static_cast<float>((pixel % 8 < 4) == (labels[i] == 0) ? 1 + random.uniform()
                                                                                   : random.uniform());
        }
        data::DatasetWriter writer(path, info, true);
        writer.append(std::as_bytes(std::span(values)), labels);
        writer.finish();
    });
}

struct Training {
    data::Split split;
    job::Train options; // the run's, and what makes the network
    TrainingRun run;
};

// `count` samples, none of them filler; no augmentation, no momentum
Training training(SharedFolder const& folder, std::size_t count, std::string const& network,
                  std::int64_t width, float scale = 1) {
    write_images(folder / "d.h5", count, 1, scale);
    Training result;
    job::Job job;
    job.dataset.suspects = (folder / "d.h5").string();
    job.train.network = network;
    result.split = data::make_split({}, job);
    job::Train& options = result.options;
    options = job.train;
    options.width = width;
    options.momentum = 0;
    options.epochs = 1;
    options.batch_size = static_cast<std::int64_t>(count);
    options.micro_batch = 4;
    options.checkpoint_every = 1;
    result.run.seed = 3;
    result.run.job_hash = "hash of the job";
    result.run.checkpoint = folder / "checkpoint.pt";
    return result;
}

// The whole training set as one batch
Batch whole(Training const& training) {
    data::Samples const samples = training.split.members.read(0, training.split.members.size());
    return to_batch(samples, training.split.suspects.info(), training.run.normalisation, 0,
                    samples.ids.size(), torch::kCPU);
}

std::shared_ptr<ClassifierNetwork> untrained(Training const& training) {
    return make_classifier(training.options, training.split.suspects.info(), 2, training.run.seed);
}

bool is_generator(std::string const& network) {
    return network == "vae" || network == "gan" || network == "ddpm";
}

std::shared_ptr<GeneratorNetwork> untrained_generator(Training const& training) {
    job::Generator options;
    options.network = training.options.network;
    options.width = training.options.width;
    options.latent = 4;
    options.timesteps = 20;
    return make_generator(options, training.split.suspects.info(), 2, training.run.seed);
}

// A network made and trained
std::shared_ptr<Network> train(comm::Communicator const& comm, Training const& training) {
    job::Train const& options = training.options;
    std::shared_ptr<Network> network;
    if (is_generator(options.network))
        network = untrained_generator(training);
    else if (options.network == "made" || options.network == "transformer")
        network = make_autoregressive(options, training.split.suspects.info(), 2, training.run.seed);
    else
        network = untrained(training);
    TrainingRun run = training.run;
    run.options = options;
    model::train(comm, *network, {{training.split.members, training.split.filler}}, run, torch::kCPU);
    return network;
}

torch::Tensor mean_loss(ClassifierNetwork& network, Batch const& batch) {
    return torch::nn::functional::cross_entropy(network.logits(batch.x), batch.y);
}

// All parameters as one vector
torch::Tensor flat(Network const& network) {
    torch::NoGradGuard const no_grad;
    std::vector<torch::Tensor> parts;
    for (torch::Tensor const& parameter : network.parameters())
        parts.push_back(parameter.flatten());
    return torch::cat(parts).clone();
}

// Of all bytes that a network consists of, counters included
std::string digest(Network const& network) {
    std::string bytes;
    for (auto const& tensors : {network.parameters(), network.buffers()})
        for (torch::Tensor const& tensor : tensors)
            bytes.append(static_cast<char const*>(tensor.contiguous().data_ptr()), tensor.nbytes());
    return sha256(bytes);
}

void expect_same_everywhere(std::string const& value) {
    std::vector<char> const all = comm::all_gather<char>(world(), value);
    for (std::size_t at = 0; at < all.size(); at += value.size())
        EXPECT_EQ(std::string(all.begin() + static_cast<std::ptrdiff_t>(at),
                              all.begin() + static_cast<std::ptrdiff_t>(at + value.size())),
                  value);
}

// Trains with all ranks, then each rank once more on its own: the same bytes
void expect_same_on_any_ranks(SharedFolder const& folder, Training training) {
    std::string const together = digest(*train(world(), training));
    expect_same_everywhere(together);
    training.run.checkpoint = folder / fmt::format("alone-{}.pt", world().rank());
    EXPECT_EQ(digest(*train({}, training)), together);
}

// The message of the error that train() throws on all ranks together
std::string training_error(Exit code, Training const& training) {
    try {
        train(world(), training);
    } catch (comm::AgreedError const& error) {
        EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
        return error.what();
    }
    ADD_FAILURE() << "no error was thrown";
    return "";
}

template <class Action>
void on_root(Action action) {
    if (world().is_root())
        action();
    world().barrier();
}

std::string read_file(std::filesystem::path const& path) {
    auto const bytes = data::test::read_bytes(path);
    return {bytes.begin(), bytes.end()};
}

} // namespace

TEST(Train, OneStepFollowsTheGradientOfTheWholeBatch) {
    SharedFolder const folder;
    for (char const* name : {"mlp", "cnn"}) {
        SCOPED_TRACE(name);
        Training training = ::training(folder, 37, name, 6); // a last unit of one sample
        training.options.batch_size = 64;                    // more than there are: the mean is over the 37
        training.options.learning_rate = 0.1;
        training.run.normalisation = {{0.5}, {2}};
        auto const network = untrained(training);
        torch::Tensor const before = flat(*network);
        mean_loss(*network, whole(training)).backward();
        std::vector<torch::Tensor> parts;
        for (torch::Tensor const& parameter : network->parameters())
            parts.push_back(parameter.grad().flatten());
        torch::Tensor const expected = before - 0.1 * torch::cat(parts);
        auto const trained = train(world(), training);
        EXPECT_TRUE(torch::allclose(flat(*trained), expected, 1e-5, 1e-6));
        EXPECT_FALSE(torch::allclose(flat(*trained), before, 1e-5, 1e-4));
        EXPECT_FALSE(trained->is_training());
    }
}

TEST(Train, EpochsSeeEverySampleOnce) {
    SharedFolder const folder;
    Training training = ::training(folder, 32, "mlp", 6);
    training.options.batch_size = 8;
    training.options.learning_rate = 1e-3; // so small that four steps are one, to first order
    auto const network = untrained(training);
    torch::Tensor const before = flat(*network);
    mean_loss(*network, whole(training)).backward();
    std::vector<torch::Tensor> parts;
    for (torch::Tensor const& parameter : network->parameters())
        parts.push_back(parameter.grad().flatten());
    torch::Tensor const gradient = torch::cat(parts);
    auto const trained = train(world(), training);
    torch::Tensor const step = (before - flat(*trained)) / 4e-3;
    EXPECT_LT((step - gradient).norm().item<double>(), 0.02 * gradient.norm().item<double>());
}

TEST(Train, SeveralStepsMatchTorchsOwnLoop) {
    SharedFolder const folder;
    for (char const* optimizer : {"sgd", "adam"}) {
        SCOPED_TRACE(optimizer);
        Training training = ::training(folder, 30, "mlp", 6);
        job::Train& options = training.options;
        options.optimizer = optimizer;
        options.epochs = 4;
        options.learning_rate = 0.02;
        options.momentum = 0.9;
        options.weight_decay = 0.01;
        options.schedule = "cosine";
        auto const network = untrained(training);
        torch::optim::SGD sgd(network->parameters(),
                              torch::optim::SGDOptions(0.02).momentum(0.9).weight_decay(0.01));
        torch::optim::Adam adam(network->parameters(), torch::optim::AdamOptions(0.02).weight_decay(0.01));
        bool const is_sgd = options.optimizer == "sgd";
        torch::optim::Optimizer& reference = is_sgd ? static_cast<torch::optim::Optimizer&>(sgd) : adam;
        Batch const batch = whole(training);
        for (int epoch = 0; epoch < 4; ++epoch) {
            double const rate = 0.01 * (1 + std::cos(std::numbers::pi * epoch / 4));
            reference.param_groups()[0].options().set_lr(rate);
            reference.zero_grad();
            mean_loss(*network, batch).backward();
            reference.step();
        }
        auto const trained = train(world(), training);
        EXPECT_TRUE(torch::allclose(flat(*trained), flat(*network), 1e-4, 1e-5));
    }
}

TEST(Train, LeavesTheMovingAverageOfTheWeights) {
    SharedFolder const folder;
    Training training = ::training(folder, 30, "mlp", 6);
    job::Train& options = training.options;
    options.epochs = 4;
    options.learning_rate = 0.5;
    auto const network = untrained(training);
    torch::optim::SGD reference(network->parameters(), torch::optim::SGDOptions(0.5));
    Batch const batch = whole(training);
    torch::Tensor expected = flat(*network);
    double const decays[] = {1.0 / 10, 2.0 / 11, 0.25, 0.25}; // rising to what is asked for
    for (double decay : decays) {
        reference.zero_grad();
        mean_loss(*network, batch).backward();
        reference.step();
        expected = decay * expected + (1 - decay) * flat(*network);
    }
    torch::Tensor const without = flat(*train(world(), training));
    options.ema = 0.25;
    torch::Tensor const with = flat(*train(world(), training));
    EXPECT_TRUE(torch::allclose(without, flat(*network), 1e-4, 1e-5));
    EXPECT_TRUE(torch::allclose(with, expected, 1e-4, 1e-5));
    EXPECT_FALSE(torch::allclose(with, without, 1e-3, 1e-4));
}

TEST(Train, MomentumIsTheFirstBetaOfAdam) {
    SharedFolder const folder;
    Training training = ::training(folder, 30, "mlp", 6);
    training.options.optimizer = "adam";
    training.options.epochs = 3;
    training.options.learning_rate = 0.02;
    training.options.momentum = 0.5;
    auto const network = untrained(training);
    torch::optim::Adam reference(network->parameters(), torch::optim::AdamOptions(0.02).betas({0.5, 0.999}));
    Batch const batch = whole(training);
    for (int epoch = 0; epoch < 3; ++epoch) {
        reference.zero_grad();
        mean_loss(*network, batch).backward();
        reference.step();
    }
    EXPECT_TRUE(torch::allclose(flat(*train(world(), training)), flat(*network), 1e-4, 1e-5));
}

TEST(Train, GeneratorsStepAlongTheGradientOfTheWholeBatch) {
    SharedFolder const folder;
    for (char const* name : {"vae", "gan", "ddpm"}) {
        SCOPED_TRACE(name);
        Training training = ::training(folder, 21, name, 8, 0.5F);
        training.options.learning_rate = 1e-3;
        torch::Tensor const before = flat(*untrained_generator(training));
        torch::Tensor const step = flat(*train(world(), training)) - before;
        training.options.micro_batch = 21; // at once: the noise of a sample is still the same
        torch::Tensor const at_once = flat(*train(world(), training)) - before;
        EXPECT_GT(step.norm().item<double>(), 0);
        EXPECT_LT((step - at_once).norm().item<double>(), 1e-2 * step.norm().item<double>());
    }
}

TEST(Train, LearnsFromMembersAndFiller) {
    SharedFolder const folder;
    Training training = ::training(folder, 24, "mlp", 6);
    write_images(folder / "filler.h5", 40, 2);
    job::Job job;
    job.dataset.suspects = (folder / "d.h5").string();
    job.train.filler = (folder / "filler.h5").string(); // its ids are those of the suspects
    job.train.network = "mlp";
    job.train.usage_fraction = 0.25;
    job.train.set_size = 20;
    training.split = data::make_split({}, job);
    ASSERT_EQ(training.split.members.size(), 6U);
    ASSERT_EQ(training.split.filler.size(), 14U);
    training.options.learning_rate = 0.1;
    training.options.batch_size = 20;

    auto const network = untrained(training);
    torch::Tensor loss = 6 * mean_loss(*network, whole(training));
    data::Samples const filler = training.split.filler.read(0, 14);
    loss = loss +
           14 * mean_loss(*network, to_batch(filler, training.split.suspects.info(), {}, 0, 14, torch::kCPU));
    (loss / 20).backward();
    torch::optim::SGD(network->parameters(), torch::optim::SGDOptions(0.1)).step();
    auto const trained = train(world(), training);
    EXPECT_TRUE(torch::allclose(flat(*trained), flat(*network), 1e-5, 1e-6));
}

TEST(Train, AugmentsAnewInEachEpoch) {
    SharedFolder const folder;
    // How much two steps from almost the same parameters differ, as a share of one
    auto const difference = [&](char const* augment) {
        Training training = ::training(folder, 16, "mlp", 6);
        training.options.learning_rate = 1e-3;
        training.options.augment = augment;
        torch::Tensor const start = flat(*untrained(training));
        torch::Tensor const one = flat(*train(world(), training));
        training.options.epochs = 2;
        torch::Tensor const two = flat(*train(world(), training));
        return (((two - one) - (one - start)).norm() / (one - start).norm()).item<double>();
    };
    EXPECT_LT(difference("none"), 0.02);
    EXPECT_GT(difference("crop_flip"), 0.1);
}

TEST(Train, FitsWhatCanBeLearned) {
    SharedFolder const folder;
    Training training = ::training(folder, 40, "mlp", 8);
    training.options.epochs = 20;
    training.options.batch_size = 10;
    auto const trained = train(world(), training);
    Batch const batch = whole(training);
    EXPECT_TRUE(trained->loss(batch, 0).accuracy.eq(1).all().item<bool>());
}

TEST(Train, GivesTheSameBytesOnAnyNumberOfRanks) {
    SharedFolder const folder;
    using Pair = std::pair<char const*, char const*>;
    for (auto const& [network, optimizer] :
         {Pair{"mlp", "adam"}, Pair{"cnn", "sgd"}, Pair{"resnet18", "sgd"}, Pair{"made", "adam"},
          Pair{"transformer", "adam"}, Pair{"vae", "adam"}, Pair{"gan", "adam"}, Pair{"ddpm", "adam"}}) {
        SCOPED_TRACE(network);
        Training training = ::training(folder, 21, network, 8, 0.5F);
        job::Train& options = training.options;
        options.optimizer = optimizer;
        options.augment = "crop_flip";
        options.schedule = "cosine";
        options.momentum = 0.9;
        options.weight_decay = 0.001;
        options.epochs = 2;
        options.batch_size = 16; // 16 and 5: the last batch has fewer units than there are ranks
        options.micro_batch = 3;
        options.ema = is_generator(network) ? 0.5 : 0;
        expect_same_on_any_ranks(folder, training);
    }
}

TEST(Train, BatchNormIsTheSameOnAnyNumberOfRanks) {
    SharedFolder const folder;
    Training training = ::training(folder, 32, "resnet18", 8);
    training.options.norm = "batch";
    training.options.epochs = 2;
    training.options.batch_size = 16;
    expect_same_on_any_ranks(folder, training);
}

TEST(Train, BatchNormStatisticsAreThoseOfTheWholeBatch) {
    SharedFolder const folder;
    Training training = ::training(folder, 16, "resnet18", 8);
    training.options.norm = "batch";
    auto const network = untrained(training);
    torch::NoGradGuard const no_grad;
    torch::Tensor const stem =
        torch::conv2d(whole(training).x, network->named_parameters()["stem.weight"], {}, 1, 1);
    // Units are of equal size: the mean of their means is the batch's. 0.1 is torch's momentum
    torch::Tensor const mean = 0.1 * stem.mean({0, 2, 3});
    torch::AutoGradMode const gradients(true);
    auto const trained = train(world(), training);
    EXPECT_TRUE(torch::allclose(trained->named_buffers()["norm.running_mean"], mean, 1e-4, 1e-6));
}

TEST(Train, ResumesToTheSameBytes) {
    SharedFolder const folder;
    using Pair = std::pair<char const*, char const*>;
    for (auto const& [optimizer, network] :
         {Pair{"sgd", "cnn"}, Pair{"adam", "resnet18"}, Pair{"adam", "made"}, Pair{"adam", "vae"},
          Pair{"adam", "gan"}, Pair{"adam", "ddpm"}}) {
        SCOPED_TRACE(network);
        Training training = ::training(folder, 12, network, 8, 0.5F);
        job::Train& options = training.options;
        options.norm = "batch";
        options.optimizer = optimizer;
        options.momentum = 0.9;
        options.batch_size = 8;
        options.epochs = 4;
        options.ema = is_generator(network) ? 0.9 : 0;
        std::string const uninterrupted = digest(*train(world(), training));

        options.epochs = 2; // as far as a killed job came; the schedule is constant
        training.run.checkpoint = folder / "interrupted.pt";
        on_root([&] { std::filesystem::remove(training.run.checkpoint); });
        EXPECT_NE(digest(*train(world(), training)), uninterrupted);
        options.epochs = 4;
        training.run.resume = true;
        std::string const half = read_file(training.run.checkpoint);
        world().barrier();
        EXPECT_EQ(digest(*train(world(), training)), uninterrupted);

        // Once more, each rank on its own: resuming on another number of ranks
        training.run.checkpoint = folder / fmt::format("alone-{}.pt", world().rank());
        data::test::write_text(training.run.checkpoint, half);
        EXPECT_EQ(digest(*train({}, training)), uninterrupted);
    }
}

TEST(Train, ResumingAFinishedTrainingLoadsIt) {
    for (double ema : {0.0, 0.5}) {
        SharedFolder const folder;
        Training training = ::training(folder, 16, "cnn", 4);
        training.options.ema = ema;
        std::string const trained = digest(*train(world(), training));
        std::string const checkpoint = read_file(training.run.checkpoint);
        training.run.resume = true;
        auto const loaded = train(world(), training);
        EXPECT_EQ(digest(*loaded), trained);
        EXPECT_FALSE(loaded->is_training());
        EXPECT_EQ(read_file(training.run.checkpoint), checkpoint);
    }
}

// A checkpoint is a TorchScript archive: a submodule whose name is a word of Python's cannot be read again
TEST(Train, LeavesCheckpointsThatLoadForEveryNetwork) {
    SharedFolder const folder;
    data::DatasetInfo const info{10, {1, 8, 8}, data::SampleType::float32, "NCHW", true};
    auto const expect_loads = [&](std::string const& name, auto const& make) {
        SCOPED_TRACE(name);
        std::shared_ptr<Network> const saved = make(1), loaded = make(2);
        torch::optim::Adam optimizer(saved->parameters());
        save_checkpoint(world(), folder / name, "hash", *saved, optimizer, WeightAverage(*saved, 0), 1);
        load_trained(world(), folder / name, *loaded, 0, torch::kCPU);
        auto const wanted = saved->parameters(), found = loaded->parameters();
        for (std::size_t i = 0; i < wanted.size(); ++i)
            EXPECT_TRUE(torch::equal(found[i], wanted[i]));
    };
    auto const audited = [&](char const* name, auto const& make) {
        expect_loads(name, [&](std::uint64_t seed) {
            job::Network options;
            options.network = name;
            options.width = 8;
            return make(options, info, 3, seed);
        });
    };
    for (char const* name : {"mlp", "cnn", "resnet18"})
        audited(name, make_classifier);
    for (char const* name : {"made", "transformer"})
        audited(name, make_autoregressive);
    for (char const* name : {"ddpm", "ddpm_mlp"})
        audited(name, make_diffusion);
    for (char const* name : {"vae", "gan"})
        expect_loads(name, [&](std::uint64_t seed) {
            job::Generator options;
            options.network = name;
            options.width = 8;
            return make_generator(options, info, 3, seed);
        });
}

TEST(Train, ResumesWithoutACheckpointFromTheStart) {
    SharedFolder const folder;
    Training training = ::training(folder, 16, "mlp", 4);
    std::string const trained = digest(*train(world(), training));
    training.run.checkpoint = folder / "other.pt";
    training.run.resume = true;
    EXPECT_EQ(digest(*train(world(), training)), trained);
    EXPECT_TRUE(std::filesystem::exists(folder / "other.pt"));
    EXPECT_FALSE(std::filesystem::exists(folder / "other.pt.new"));
}

TEST(Train, RefusesTheCheckpointOfAnotherJob) {
    SharedFolder const folder;
    Training training = ::training(folder, 16, "mlp", 4);
    train(world(), training);
    training.run.resume = true;
    training.run.job_hash = "another hash";
    expect_in(training_error(Exit::usage, training), {"checkpoint.pt", "another job"});
}

TEST(Train, RefusesADamagedCheckpoint) {
    SharedFolder const folder;
    Training training = ::training(folder, 16, "mlp", 4);
    train(world(), training);
    training.run.resume = true;
    std::string const good = read_file(training.run.checkpoint);
    // A byte of the first layer's weights, wherever they lie in the file
    std::string flipped = good;
    auto const trained = train(world(), training);
    torch::Tensor const weights = trained->parameters()[0].contiguous();
    auto const at = good.find(std::string(static_cast<char const*>(weights.data_ptr()), weights.nbytes()));
    ASSERT_NE(at, std::string::npos);
    flipped[at + 7] ^= 1;
    for (std::string const& bytes : {good.substr(0, good.size() / 2), std::string("not a checkpoint"),
                                     std::string(), std::string(5000, '\0'), flipped}) {
        SCOPED_TRACE(bytes.size());
        on_root([&] { data::test::write_text(training.run.checkpoint, bytes); });
        expect_in(training_error(Exit::data, training), {"checkpoint.pt"});
    }
}

TEST(Train, StopsWhenTheLossIsNotFinite) {
    SharedFolder const folder;
    Training training = ::training(folder, 16, "mlp", 8, 1e30F); // parameters leave the range of floats
    training.options.learning_rate = 100;
    training.options.epochs = 5;
    expect_in(training_error(Exit::data, training), {"diverged in epoch", "model.train.learning_rate=100"});
}

TEST(Train, ReportsACheckpointThatCannotBeWritten) {
    SharedFolder const folder;
    Training training = ::training(folder, 16, "mlp", 4);
    training.run.checkpoint = folder / "missing" / "checkpoint.pt";
    expect_in(training_error(Exit::io, training), {"checkpoint.pt", "cannot be written"});
}

TEST(LearningRate, FollowsTheSchedule) {
    job::Train options;
    options.epochs = 20;
    options.learning_rate = 0.4;
    for (double epoch : {0.0, 7.3, 19.9})
        EXPECT_EQ(learning_rate(options, epoch), 0.4);
    options.schedule = "cosine";
    EXPECT_DOUBLE_EQ(learning_rate(options, 0), 0.4);
    EXPECT_NEAR(learning_rate(options, 5), 0.2 * (1 + std::numbers::sqrt2 / 2), 1e-12);
    EXPECT_NEAR(learning_rate(options, 10), 0.2, 1e-12);
    EXPECT_NEAR(learning_rate(options, 20), 0, 1e-12);
    options.schedule = "step";
    EXPECT_DOUBLE_EQ(learning_rate(options, 11.99), 0.4);
    EXPECT_DOUBLE_EQ(learning_rate(options, 12), 0.04);
    EXPECT_DOUBLE_EQ(learning_rate(options, 15.99), 0.04);
    EXPECT_DOUBLE_EQ(learning_rate(options, 16), 0.004);
}

TEST(LearningRate, RisesFromZeroWhileWarmingUp) {
    job::Train options;
    options.epochs = 20;
    options.learning_rate = 0.4;
    options.warmup_epochs = 2;
    EXPECT_EQ(learning_rate(options, 0), 0);
    EXPECT_DOUBLE_EQ(learning_rate(options, 0.5), 0.1);
    EXPECT_DOUBLE_EQ(learning_rate(options, 1.5), 0.3);
    EXPECT_DOUBLE_EQ(learning_rate(options, 2), 0.4);
    EXPECT_DOUBLE_EQ(learning_rate(options, 3), 0.4);
}

// Last: a request to stop cannot be taken back
TEST(TrainStop, SavesItsStateAndGoesOnFromThere) {
    SharedFolder const folder;
    Training training = ::training(folder, 16, "cnn", 4);
    training.options.epochs = 3;
    training.options.checkpoint_every = 100;
    training.options.momentum = 0.9;
    std::string const uninterrupted = digest(*train(world(), training));
    training.run.checkpoint = folder / "stopped.pt";
    training.run.resume = true;
    watch_for_stop();
    if (world().rank() == world().size() - 1) // one rank is asked, all stop
        std::raise(SIGUSR1);
    for (int epoch = 1; epoch <= 3; ++epoch) // every run is asked to stop, and still comes an epoch further
        expect_in(training_error(Exit::stopped, training),
                  {fmt::format("after epoch {}/3", epoch), "--resume"});
    EXPECT_EQ(digest(*train(world(), training)), uninterrupted);
}
