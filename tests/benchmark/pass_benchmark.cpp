// The pass (read, transform, forward, signals, write) against the bare forward loop over the same samples in
// memory.
//   build/release/tests/benchmark_pass                 one rank: the ratio of the two is what the pass costs
//   mpirun -n 2 build/release/tests/benchmark_pass     two ranks share the pass: samples/s against those of
//   one
// Arguments: Google Benchmark's, such as --benchmark_repetitions=5. Iterations are fixed, so that ranks
// agree.
#include "app/usage_pass.hpp"
#include "assay/base/log.hpp"
#include "assay/base/random.hpp"
#include "assay/data/dataset_writer.hpp"
#include "assay/model/classifier_networks.hpp"
#include "assay/model/torch_setup.hpp"

#include <benchmark/benchmark.h>

#include <filesystem>
#include <iostream>

namespace {

using namespace assay;

constexpr std::uint64_t kSamples = 1024;

struct Setting {
    comm::Communicator world;
    std::filesystem::path folder;
    job::Job job;
    data::Split split;
    app::Target target;
};

void write_samples(std::filesystem::path const& path) {
    data::DatasetInfo info;
    info.size = kSamples;
    info.sample_shape = {1, 28, 28};
    info.has_labels = true;
    data::DatasetWriter writer(path, info, true);
    Random random(1, "benchmark");
    std::vector<std::byte> values(kSamples * info.sample_bytes());
    for (std::byte& value : values)
        value = static_cast<std::byte>(random.below(256));
    std::vector<std::int64_t> labels(kSamples);
    for (std::int64_t& label : labels)
        label = static_cast<std::int64_t>(random.below(10));
    writer.append(values, labels);
    writer.finish();
}

Setting make_setting(std::string const& network) {
    Setting setting{comm::Communicator(MPI_COMM_WORLD),
                    std::filesystem::temp_directory_path() / "assay-benchmark",
                    {},
                    {},
                    {}};
    setting.job.job.seed = 1;
    setting.job.dataset.suspects = setting.folder / "samples.h5";
    setting.job.dataset.held_out = setting.job.dataset.suspects; // held out: the half that the suspects leave
    setting.job.dataset.suspect_count = kSamples / 2;
    setting.job.dataset.classes = 10;
    setting.job.train.network = network;
    setting.job.compute.batch_size = 64;
    setting.job.compute.shard_size = 128;
    setting.job.usage.signals = {"forward"};
    std::filesystem::create_directories(setting.folder);
    if (setting.world.is_root())
        write_samples(setting.job.dataset.suspects);
    setting.world.barrier();
    setting.split = data::make_split(setting.world, setting.job);
    auto const made = model::make_classifier(setting.job.train, setting.split.suspects.info(), 10, 1);
    made->eval();
    setting.target = {made, "", network};
    return setting;
}

model::Classifier& classifier(Setting const& setting) {
    return *std::get<std::shared_ptr<model::Classifier>>(setting.target.model);
}

void bare_forward(benchmark::State& state, std::string const& network) {
    Setting const setting = make_setting(network);
    torch::NoGradGuard const no_grad;
    data::View const& suspects = setting.split.suspects;
    data::Samples const samples = suspects.read(0, suspects.size());
    model::Batch const all =
        model::to_batch(samples, suspects.info(), {}, 0, samples.ids.size(), torch::kCPU);
    classifier(setting).logits(all.x.slice(0, 0, 64)); // warm up
    for (auto _ : state)
        for (std::int64_t half = 0; half < 2; ++half) // as many samples as the pass sees
            for (std::int64_t begin = 0; begin < all.x.size(0); begin += 64)
                benchmark::DoNotOptimize(classifier(setting).logits(all.x.slice(0, begin, begin + 64)));
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kSamples));
}

void whole_pass(benchmark::State& state, std::string const& network) {
    Setting const setting = make_setting(network);
    auto const sources = app::usage_sources(setting.job, setting.split, setting.target, {}, {}, torch::kCPU);
    auto const shards = pass::ShardPlan(sources, 128).size();
    auto const layout = app::usage_layout(
        setting.job, setting.split, app::job_signals(setting.job, setting.split, setting.target), shards);
    for (auto _ : state) {
        auto file = store::ResultFile::create(setting.world, setting.folder / "results.h5", layout);
        pass::run_pass(setting.world, file, sources, {.shard_size = 128, .commit_seconds = 10});
        file.close();
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kSamples));
}

// Ranks beside root take part in the collectives and say nothing
class Silent : public benchmark::BenchmarkReporter {
    bool ReportContext(Context const&) override { return true; }
    void ReportRuns(std::vector<Run> const&) override {}
};

} // namespace

int main(int argc, char** argv) {
    comm::MpiScope const mpi(argc, argv);
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    init_log(rank);
    spdlog::set_level(spdlog::level::warn);
    model::setup_torch(1);
    for (std::string const network : {"resnet18", "cnn"}) {
        auto const bare = [network](benchmark::State& state) { bare_forward(state, network); };
        auto const pass = [network](benchmark::State& state) { whole_pass(state, network); };
        int const iterations = network == "cnn" ? 10 : 1;
        for (auto* each : {benchmark::RegisterBenchmark(("bare_forward/" + network).c_str(), bare),
                           benchmark::RegisterBenchmark(("whole_pass/" + network).c_str(), pass)})
            each->Iterations(iterations)->UseRealTime()->Unit(benchmark::kMillisecond);
    }
    benchmark::Initialize(&argc, argv);
    Silent silent;
    if (rank == 0)
        benchmark::RunSpecifiedBenchmarks();
    else
        benchmark::RunSpecifiedBenchmarks(&silent);
    std::filesystem::remove_all(std::filesystem::temp_directory_path() / "assay-benchmark");
}
