#include "assay/model/train.hpp"

#include "assay/base/error.hpp"
#include "assay/base/log.hpp"
#include "assay/base/random.hpp"
#include "assay/base/signals.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/comm/ordered_sum.hpp"
#include "assay/model/checkpoint.hpp"
#include "model/weight_average.hpp"

#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace assay::model {

namespace {

// The training set in memory
struct TrainingSet {
    data::DatasetInfo info;
    data::Samples samples;
    std::size_t size() const { return samples.ids.size(); }
};

void join(data::Samples& to, data::Samples const& from) {
    to.ids.insert(to.ids.end(), from.ids.begin(), from.ids.end());
    to.labels.insert(to.labels.end(), from.labels.begin(), from.labels.end());
    to.values.insert(to.values.end(), from.values.begin(), from.values.end());
}

TrainingSet load(TrainingData const& data) {
    TrainingSet set;
    for (data::View const& view : data.parts)
        if (view.size() > 0) {
            set.info = view.info();
            join(set.samples, view.read(0, view.size()));
        }
    for (std::size_t i = 0; i < set.size(); ++i)
        set.samples.ids[i] = i; // ids of two files may coincide; positions never do
    return set;
}

// Samples of the training set at the given places, in that order
data::Samples pick(TrainingSet const& set, std::span<std::size_t const> places) {
    data::Samples picked;
    std::uint64_t const bytes = set.info.sample_bytes();
    for (std::size_t place : places) {
        picked.ids.push_back(set.samples.ids[place]);
        picked.labels.push_back(set.samples.labels[place]);
        auto const first = set.samples.values.begin() + static_cast<std::ptrdiff_t>(place * bytes);
        picked.values.insert(picked.values.end(), first, first + static_cast<std::ptrdiff_t>(bytes));
    }
    return picked;
}

std::vector<std::size_t> shuffled(std::size_t size, std::uint64_t seed, std::int64_t epoch) {
    std::vector<std::size_t> order(size);
    for (std::size_t i = 0; i < size; ++i)
        order[i] = i;
    Random random(seed, "shuffle", static_cast<std::uint64_t>(epoch));
    for (std::size_t i = size; i > 1; --i)
        std::swap(order[i - 1], order[random.below(i)]);
    return order;
}

// The floating-point state that a forward pass in training mode may change: BatchNorm's running statistics
std::vector<torch::Tensor> running_statistics(Network const& network) {
    std::vector<torch::Tensor> buffers;
    for (torch::Tensor const& buffer : network.buffers())
        if (buffer.is_floating_point())
            buffers.push_back(buffer);
    return buffers;
}

// BatchNorm's counters of the batches that this rank has seen
std::vector<torch::Tensor> batch_counters(Network const& network) {
    std::vector<torch::Tensor> buffers;
    for (torch::Tensor const& buffer : network.buffers())
        if (!buffer.is_floating_point())
            buffers.push_back(buffer);
    return buffers;
}

// Cuts the next piece of `flat`, shaped like `like`
torch::Tensor take(float*& flat, torch::Tensor const& like) {
    torch::Tensor const piece = torch::from_blob(flat, like.sizes(), torch::kFloat32);
    flat += like.numel();
    return piece.to(like.device());
}

// Of the network's loss in an epoch. Not the run's own seed: what a network draws must not be what a stage
// draws for the same sample
std::uint64_t draws(TrainingRun const& run, std::int64_t epoch) {
    return mix64(mix64(run.seed) ^ static_cast<std::uint64_t>(epoch));
}

torch::Tensor sum_or_nan(torch::Tensor const& accuracy) {
    return accuracy.defined() ? accuracy.sum() : torch::tensor(NAN);
}

class Trainer {
  public:
    Trainer(comm::Communicator const& comm, TrainingSet const& set, TrainingRun const& run, Network& network,
            torch::optim::Optimizer& optimizer, WeightAverage& average, torch::Device device)
        : comm_(comm),
          set_(set),
          run_(run),
          network_(network),
          optimizer_(optimizer),
          average_(average),
          device_(device),
          parameters_(network.parameters()),
          statistics_(running_statistics(network)),
          counters_(batch_counters(network)) {}

    // Collective. One pass over the training set; returns {mean loss, accuracy or NaN}
    std::pair<double, double> epoch(std::int64_t epoch) {
        network_.train();
        std::vector<std::size_t> const order = shuffled(set_.size(), run_.seed, epoch);
        auto const batch_size = static_cast<std::size_t>(run_.options.batch_size);
        double loss = 0, accuracy = 0;
        for (std::size_t begin = 0; begin < order.size(); begin += batch_size) {
            std::size_t const size = std::min(batch_size, order.size() - begin);
            double const progress = static_cast<double>(begin) / static_cast<double>(order.size());
            set_learning_rate(learning_rate(run_.options, static_cast<double>(epoch) + progress));
            auto const [batch_loss, batch_accuracy] = step({order.data() + begin, size}, epoch);
            auto const steps_per_epoch = (order.size() + batch_size - 1) / batch_size;
            average_.update(epoch * static_cast<std::int64_t>(steps_per_epoch) +
                            static_cast<std::int64_t>(begin / batch_size));
            loss += batch_loss;
            accuracy += batch_accuracy;
        }
        network_.eval();
        auto const n = static_cast<double>(set_.size());
        return {loss / n, accuracy / n};
    }

  private:
    // Collective. One optimiser step on the sum of the micro-batches' gradients; sums of {loss, accuracy}
    std::pair<double, double> step(std::span<std::size_t const> batch, std::int64_t epoch) {
        auto const micro = static_cast<std::size_t>(run_.options.micro_batch);
        std::size_t const parts = (batch.size() + micro - 1) / micro;
        std::vector<float> mine;
        comm::agree(comm_, [&] {
            for (std::size_t part = 0; part < parts; ++part)
                if (comm::owner_of_part(part, comm_) == comm_.rank())
                    add_part(batch.subspan(part * micro, std::min(micro, batch.size() - part * micro)), epoch,
                             mine);
        });
        std::vector<float> total = comm::ordered_sum(comm_, mine, parts, part_length());
        float* next = total.data();
        auto const samples = static_cast<double>(batch.size());
        for (torch::Tensor& parameter : parameters_)
            parameter.mutable_grad() = take(next, parameter).div(samples);
        torch::NoGradGuard const no_grad;
        for (torch::Tensor& statistic : statistics_)
            statistic.copy_(take(next, statistic).div(static_cast<double>(parts)));
        for (torch::Tensor& counter : counters_)
            counter.zero_(); // nothing reads them, and ranks would differ
        double const loss = next[0], accuracy = next[1];
        if (!std::isfinite(loss))
            throw comm::AgreedError(Exit::data,
                                    fmt::format("training diverged in epoch {} (the loss is {}). Lower "
                                                "{}.learning_rate={}",
                                                epoch + 1, loss, run_.section, run_.options.learning_rate));
        optimizer_.step();
        return {loss, accuracy};
    }

    std::size_t part_length() const {
        std::size_t length = 2; // loss and accuracy travel along
        for (auto const* tensors : {&parameters_, &statistics_})
            for (torch::Tensor const& tensor : *tensors)
                length += static_cast<std::size_t>(tensor.numel());
        return length;
    }

    // Appends [gradients, running statistics, sums of loss and accuracy] of one micro-batch
    void add_part(std::span<std::size_t const> places, std::int64_t epoch, std::vector<float>& flat) {
        data::Samples const samples = pick(set_, places);
        Batch batch = to_batch(samples, set_.info, run_.normalisation, 0, places.size(), device_);
        if (run_.options.augment == "crop_flip")
            // Not the audit's draws: members would be looked at in the very versions they were trained in
            batch.x = augment(batch.x, batch.ids, mix64(run_.seed), static_cast<std::uint64_t>(epoch));
        std::vector<torch::Tensor> before;
        for (torch::Tensor const& statistic : statistics_)
            before.push_back(statistic.clone());
        SampleLoss const losses = network_.loss(batch, draws(run_, epoch));
        torch::Tensor const loss = losses.loss.sum();
        auto const gradients = torch::autograd::grad({loss}, parameters_);
        for (torch::Tensor const& gradient : gradients)
            append(flat, gradient);
        torch::NoGradGuard const no_grad;
        for (std::size_t i = 0; i < statistics_.size(); ++i) {
            append(flat, statistics_[i]);
            statistics_[i].copy_(before[i]); // every part starts from the same statistics
        }
        append(flat, loss.reshape({1}));
        append(flat, sum_or_nan(losses.accuracy).reshape({1}));
    }

    void set_learning_rate(double rate) {
        for (auto& group : optimizer_.param_groups()) {
            if (run_.options.optimizer == "adam")
                static_cast<torch::optim::AdamOptions&>(group.options()).lr(rate);
            else
                static_cast<torch::optim::SGDOptions&>(group.options()).lr(rate);
        }
    }

    comm::Communicator const& comm_;
    TrainingSet const& set_;
    TrainingRun const& run_;
    Network& network_;
    torch::optim::Optimizer& optimizer_;
    WeightAverage& average_;
    torch::Device device_;
    std::vector<torch::Tensor> parameters_, statistics_, counters_;
};

std::unique_ptr<torch::optim::Optimizer> make_optimizer(job::Optimisation const& options,
                                                        Network const& network) {
    if (options.optimizer == "adam")
        return std::make_unique<torch::optim::Adam>(network.parameters(),
                                                    torch::optim::AdamOptions(options.learning_rate)
                                                        .betas({options.momentum, 0.999})
                                                        .weight_decay(options.weight_decay));
    return std::make_unique<torch::optim::SGD>(network.parameters(),
                                               torch::optim::SGDOptions(options.learning_rate)
                                                   .momentum(options.momentum)
                                                   .weight_decay(options.weight_decay));
}

// Error(usage), on all ranks alike, if the gradients of one step are more than MPI can count
void check_step_size(TrainingRun const& run, Network const& network) {
    job::Optimisation const& options = run.options;
    std::int64_t length = 2;
    for (auto const& tensors : {network.parameters(), network.buffers()})
        for (torch::Tensor const& tensor : tensors)
            length += tensor.numel();
    std::int64_t const parts = (options.batch_size + options.micro_batch - 1) / options.micro_batch;
    if (parts * length > std::numeric_limits<int>::max())
        throw comm::AgreedError(
            Exit::usage, fmt::format("{}.micro_batch={} cuts a batch of {} into {} parts of {} values "
                                     "each (too many for one exchange). Raise it",
                                     run.section, options.micro_batch, options.batch_size, parts, length));
}

// "loss 0.1234, accuracy 0.987", the latter where the family has one
std::string described(double loss, double accuracy) {
    return fmt::format("loss {:.4f}", loss) +
           (std::isnan(accuracy) ? "" : fmt::format(", accuracy {:.3f}", accuracy));
}

// Local. The loss of a view's samples in evaluation mode
std::string evaluate(Network& network, data::View const& view, TrainingRun const& run, torch::Device device) {
    torch::NoGradGuard const no_grad;
    constexpr std::uint64_t kBatch = 256;
    double loss = 0, accuracy = 0;
    for (std::uint64_t begin = 0; begin < view.size(); begin += kBatch) {
        data::Samples const samples = view.read(begin, std::min(begin + kBatch, view.size()));
        Batch const batch = to_batch(samples, view.info(), run.normalisation, 0, samples.ids.size(), device);
        SampleLoss const losses = network.loss(batch, draws(run, 0));
        loss += losses.loss.sum().item<double>();
        accuracy += sum_or_nan(losses.accuracy).item<double>();
    }
    auto const n = static_cast<double>(view.size());
    return described(loss / n, accuracy / n);
}

void log_evaluation(Network& network, TrainingData const& data, TrainingRun const& run,
                    torch::Device device) {
    for (auto const& [name, view] : data.watched)
        spdlog::info("  {}: {}", name, evaluate(network, view, run, device));
}

bool anyone_stops(comm::Communicator const& comm) {
    return comm::all_max(comm, stop_requested()) > 0;
}

} // namespace

double learning_rate(job::Optimisation const& options, double epoch) {
    double const done = epoch / static_cast<double>(options.epochs);
    double rate = options.learning_rate;
    if (epoch < options.warmup_epochs)
        return rate * epoch / options.warmup_epochs;
    if (options.schedule == "cosine")
        rate *= 0.5 * (1 + std::cos(std::numbers::pi * done));
    else if (options.schedule == "step")
        rate *= done < 0.6 ? 1 : done < 0.8 ? 0.1 : 0.01;
    return rate;
}

void train(comm::Communicator const& comm, Network& network, TrainingData const& data, TrainingRun const& run,
           torch::Device device) {
    TrainingSet const set = comm::agree(comm, [&] { return load(data); });
    check_step_size(run, network);
    auto const optimizer = make_optimizer(run.options, network);
    WeightAverage average(network, run.options.ema);
    std::int64_t first = 0;
    if (run.resume)
        first = load_checkpoint(comm, run.checkpoint, run.job_hash, network, *optimizer, average, device);
    if (first < run.options.epochs)
        spdlog::info("training {} on {} samples, epochs {} to {}", run.options.network, set.size(), first + 1,
                     run.options.epochs);
    else
        spdlog::info("the trained {} is there: {}", run.options.network, run.checkpoint.string());

    Trainer trainer(comm, set, run, network, *optimizer, average, device);
    for (std::int64_t epoch = first; epoch < run.options.epochs; ++epoch) {
        auto const [loss, accuracy] = trainer.epoch(epoch);
        std::int64_t const done = epoch + 1;
        bool const last = done == run.options.epochs;
        bool const stop = anyone_stops(comm);
        if (stop || last || done % run.options.checkpoint_every == 0) {
            save_checkpoint(comm, run.checkpoint, run.job_hash, network, *optimizer, average, done);
            spdlog::info("epoch {}/{}: {}", done, run.options.epochs, described(loss, accuracy));
        }
        if (run.options.evaluate_every && done % run.options.evaluate_every == 0 && comm.is_root()) {
            average.swap();
            log_evaluation(network, data, run, device);
            average.swap();
        }
        if (stop)
            throw comm::AgreedError(Exit::stopped,
                                    fmt::format("stopped on a signal after epoch {}/{}, state saved. Run "
                                                "again with --resume",
                                                done, run.options.epochs));
    }
    average.swap();
    network.eval();
}

} // namespace assay::model
