// The exact search against the machine's own matrix product and against faiss, on the same random rows.
//   build/release/tests/benchmark_search [TRAINING QUERIES WIDTH K]    60000 10000 768 100; one rank
//   mpirun -n 2 build/release/tests/benchmark_search [...]            the search alone, one thread a rank
// Beside these, Google Benchmark's arguments. Iterations are fixed, so that ranks agree. GFLOP/s count 2 x
// training x queries x width, in real time; memory is what the process grew beyond training rows and queries.
#include "assay/base/log.hpp"
#include "assay/model/torch_setup.hpp"
#include "assay/valuation/search.hpp"

#include <benchmark/benchmark.h>
#include <faiss/IndexFlat.h>

#include <fstream>
#include <iostream>
#include <malloc.h>
#include <map>

namespace {

using namespace assay;

constexpr std::int64_t kBlock = 1024; // queries

struct Sizes {
    std::int64_t training = 60000, queries = 10000, width = 768, k = 100;
    double flop() const { return 2. * static_cast<double>(training) * static_cast<double>(queries * width); }
} sizes;

std::map<std::string, double> best; // GFLOP/s by benchmark, of all repetitions

std::int64_t memory_mb(std::string const& field) {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (word == field + ":") {
            std::int64_t kilobytes = 0;
            status >> kilobytes;
            return kilobytes >> 10;
        }
    return 0;
}

// From here on VmHWM is the largest size since now
void reset_peak_memory() {
    std::ofstream("/proc/self/clear_refs") << 5;
}

at::Tensor random_rows(std::int64_t rows, int seed) {
    torch::manual_seed(static_cast<std::uint64_t>(seed));
    return at::randn({rows, sizes.width});
}

// Calls work() for each iteration and reports its rate and what memory it took
void measure(benchmark::State& state, std::string const& name, double flop,
             std::function<void()> const& work) {
    malloc_trim(0); // what was freed before must not serve this work unseen
    std::int64_t const before = memory_mb("VmRSS");
    reset_peak_memory();
    auto const start = std::chrono::steady_clock::now();
    for (auto _ : state)
        work();
    std::chrono::duration<double> const seconds = std::chrono::steady_clock::now() - start;
    double const rate = flop * static_cast<double>(state.iterations()) / seconds.count() / 1e9;
    best[name] = std::max(best[name], rate);
    state.counters["GFLOP/s"] = rate;
    state.counters["MB"] = static_cast<double>(memory_mb("VmHWM") - before);
}

void product(benchmark::State& state, std::string const& name, int threads, std::int64_t m, std::int64_t n,
             std::int64_t width) {
    at::set_num_threads(threads);
    at::Tensor const a = at::randn({m, width}), b = at::randn({n, width});
    at::Tensor c = at::mm(a, b.t()); // warm up
    measure(state, name, 2. * static_cast<double>(m) * static_cast<double>(n * width),
            [&] { at::mm_out(c, a, b.t()); });
}

void search(benchmark::State& state, std::string const& name, int threads) {
    at::set_num_threads(threads);
    comm::Communicator const world(MPI_COMM_WORLD);
    std::optional<valuation::TrainingRows> rows;
    {
        at::Tensor const training = random_rows(sizes.training, 1);
        valuation::FeatureMatrix const matrix{
            "training", static_cast<std::uint64_t>(sizes.training), static_cast<std::uint64_t>(sizes.width),
            [&](std::uint64_t begin, std::uint64_t count, std::span<float> out) {
                std::copy_n(training.data_ptr<float>() + begin * static_cast<std::uint64_t>(sizes.width),
                            count * static_cast<std::uint64_t>(sizes.width), out.begin());
            }};
        rows.emplace(world, matrix, valuation::Distance::l2, valuation::Storage::float32);
    }
    at::Tensor const queries = random_rows(sizes.queries, 2);
    std::int64_t second_passes = 0;
    world.barrier();
    measure(state, name, sizes.flop(), [&] {
        valuation::Searcher searcher(*rows);
        int owner = 0;
        for (std::int64_t begin = 0; begin < sizes.queries; begin += kBlock) {
            std::int64_t const end = std::min(begin + kBlock, sizes.queries);
            float const* const values = queries.data_ptr<float>();
            benchmark::DoNotOptimize(
                searcher.search({"queries",
                                 static_cast<std::uint64_t>(begin),
                                 {values + begin * sizes.width, values + end * sizes.width}},
                                sizes.k, owner));
            owner = (owner + 1) % world.size();
        }
        second_passes = searcher.second_passes();
    });
    state.counters["second_passes"] = static_cast<double>(second_passes);
}

void faiss_flat(benchmark::State& state, std::string const& name, int threads) {
    at::set_num_threads(threads); // OpenMP's, which faiss uses too
    faiss::IndexFlatL2 index(static_cast<int>(sizes.width));
    {
        at::Tensor const training = random_rows(sizes.training, 1);
        index.add(sizes.training, training.data_ptr<float>());
    }
    at::Tensor const queries = random_rows(sizes.queries, 2);
    measure(state, name, sizes.flop(), [&] {
        std::vector<float> distances(static_cast<std::size_t>(sizes.queries * sizes.k));
        std::vector<faiss::Index::idx_t> labels(distances.size());
        index.search(sizes.queries, queries.data_ptr<float>(), sizes.k, distances.data(), labels.data());
        benchmark::DoNotOptimize(labels.data());
    });
}

void add(std::string const& name, int iterations, std::function<void(benchmark::State&)> run) {
    benchmark::RegisterBenchmark(name.c_str(), std::move(run))
        ->Iterations(iterations)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
}

void add_all(int threads) {
    auto const named = [&](char const* what) { return fmt::format("{}/{}", what, threads); };
    std::string const large = named("product/2048"), tile = named("product/tile"), whole = named("search"),
                      peer = named("faiss/IndexFlatL2");
    add(large, 5, [=](benchmark::State& state) { product(state, large, threads, 2048, 2048, 2048); });
    add(tile, 20, [=](benchmark::State& state) { product(state, tile, threads, kBlock, 4096, sizes.width); });
    add(whole, 1, [=](benchmark::State& state) { search(state, whole, threads); });
    add(peer, 1, [=](benchmark::State& state) { faiss_flat(state, peer, threads); });
}

void print_ratios(int threads) {
    auto const rate = [&](char const* what) { return best[fmt::format("{}/{}", what, threads)]; };
    double const ours = rate("search");
    std::cout << fmt::format(
        "{} thread(s): search {:.1f} GFLOP/s = {:.2f} of the large product, {:.2f} of the "
        "tile's, {:.2f} x faiss\n",
        threads, ours, ours / rate("product/2048"), ours / rate("product/tile"),
        ours / rate("faiss/IndexFlatL2"));
}

// Ranks beside root take part in the collectives and say nothing
class Silent : public benchmark::BenchmarkReporter {
    bool ReportContext(Context const&) override { return true; }
    void ReportRuns(std::vector<Run> const&) override {}
};

} // namespace

int main(int argc, char** argv) {
    comm::MpiScope const mpi(argc, argv);
    comm::Communicator const world(MPI_COMM_WORLD);
    init_log(world.rank());
    benchmark::Initialize(&argc, argv);
    if (argc == 5)
        sizes = {std::stoll(argv[1]), std::stoll(argv[2]), std::stoll(argv[3]), std::stoll(argv[4])};
    model::setup_torch(1);
    if (world.size() == 1) {
        add_all(1);
        add_all(2);
    } else {
        add("search", 1, [](benchmark::State& state) { search(state, "search", 1); });
    }
    Silent silent;
    if (world.is_root())
        benchmark::RunSpecifiedBenchmarks();
    else
        benchmark::RunSpecifiedBenchmarks(&silent);
    if (world.size() == 1) {
        print_ratios(1);
        print_ratios(2);
    }
}
