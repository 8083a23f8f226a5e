// What a pass's protocol costs: columns that take no time to compute, written by pass::run_pass, against
// plain MPI-IO that writes the same shards in the same rounds into a file of the same size. Both end on the
// disk.
//   mpirun -n 2 build/release/tests/benchmark_write [FOLDER [SAMPLES [REPETITIONS]]]
#include "assay/base/log.hpp"
#include "assay/base/random.hpp"
#include "assay/pass/pass.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

namespace {

using namespace assay;

struct Shape {
    std::uint64_t samples, shard;
    bool commit_each_round; // else once, at the end
    std::uint64_t columns = 10;
};

// Seconds between two barriers
template <class Work>
double timed(comm::Communicator const& world, Work&& work) {
    world.barrier();
    auto const begin = std::chrono::steady_clock::now();
    work();
    world.barrier();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double through_pass(comm::Communicator const& world, std::filesystem::path const& path, Shape const& shape,
                    std::vector<float> const& values) {
    pass::Source source;
    source.name = "benchmark";
    source.size = shape.samples;
    store::ResultLayout layout;
    for (std::uint64_t c = 0; c < shape.columns; ++c) {
        source.columns.push_back(fmt::format("/signals/s{}", c));
        layout.columns.push_back(
            {source.columns.back(), store::native_type<float>(), {shape.samples}, "", "1", ""});
    }
    source.read = [](std::uint64_t, std::uint64_t) { return data::Samples(); };
    source.compute = [&](data::Samples&&) { return values; };
    std::vector<pass::Source> const sources{source};
    layout.shards = pass::ShardPlan(sources, shape.shard).size();
    store::ResultFile file = store::ResultFile::create(world, path, layout);
    if (world.is_root())
        store::sync_to_disk(store::partial_of(path));
    return timed(world, [&] {
        pass::run_pass(world, file, sources, {shape.shard, shape.commit_each_round ? 0 : 1e9});
        file.close();
    });
}

double through_mpi_io(comm::Communicator const& world, std::filesystem::path const& path, Shape const& shape,
                      std::vector<float> const& values) {
    if (world.is_root()) { // there in full beforehand, as the columns are
        std::vector<float> const fill(shape.samples, 1);
        std::FILE* const file = std::fopen(path.c_str(), "wb");
        for (std::uint64_t c = 0; c < shape.columns; ++c)
            std::fwrite(fill.data(), sizeof(float), fill.size(), file);
        std::fclose(file);
        store::sync_to_disk(path);
    }
    world.barrier();
    MPI_File file = MPI_FILE_NULL;
    comm::check_mpi(MPI_File_open(world.mpi(), path.c_str(), MPI_MODE_WRONLY, MPI_INFO_NULL, &file),
                    "MPI_File_open");
    auto const write_round = [&](std::uint64_t first) {
        for (std::uint64_t c = 0; c < shape.columns; ++c) {
            std::uint64_t const begin =
                c * shape.samples + first + shape.shard * static_cast<std::uint64_t>(world.rank());
            comm::check_mpi(MPI_File_write_at_all(file, static_cast<MPI_Offset>(sizeof(float) * begin),
                                                  values.data() + c * shape.shard,
                                                  static_cast<int>(shape.shard), MPI_FLOAT,
                                                  MPI_STATUS_IGNORE),
                            "MPI_File_write_at_all");
        }
    };
    std::uint64_t const round = shape.shard * static_cast<std::uint64_t>(world.size());
    return timed(world, [&] {
        for (std::uint64_t first = 0; first < shape.samples; first += round) {
            write_round(first);
            if (shape.commit_each_round || first + round >= shape.samples)
                comm::check_mpi(MPI_File_sync(file), "MPI_File_sync");
        }
        MPI_File_close(&file);
    });
}

std::string spread(std::vector<double> values, int digits) {
    std::sort(values.begin(), values.end());
    return fmt::format("{:.{}f} ({:.{}f} to {:.{}f})", values[values.size() / 2], digits, values.front(),
                       digits, values.back(), digits);
}

// Alternating, since the machine's speed drifts
void measure(comm::Communicator const& world, std::filesystem::path const& folder, Shape const& shape,
             int repetitions) {
    std::vector<float> values(shape.columns * shape.shard);
    Random random(1, "benchmark");
    for (float& value : values)
        value = static_cast<float>(random.uniform());
    double const megabytes = static_cast<double>(sizeof(float) * shape.columns * shape.samples) / 1e6;
    std::vector<double> pass, plain, ratios;
    for (int i = 0; i < repetitions; ++i) {
        plain.push_back(megabytes / through_mpi_io(world, folder / "plain", shape, values));
        pass.push_back(megabytes / through_pass(world, folder / "results.h5", shape, values));
        ratios.push_back(pass.back() / plain.back());
    }
    if (world.is_root())
        fmt::print("| {} | {} | {} | {} | {} |\n", shape.shard,
                   shape.commit_each_round ? "each round" : "at the end", spread(pass, 0), spread(plain, 0),
                   spread(ratios, 2));
}

} // namespace

int main(int argc, char** argv) {
    comm::MpiScope const mpi(argc, argv);
    comm::Communicator const world(MPI_COMM_WORLD);
    init_log(world.rank());
    spdlog::set_level(spdlog::level::warn);
    std::filesystem::path const parent =
        argc > 1 ? std::filesystem::path(argv[1]) : std::filesystem::temp_directory_path();
    std::filesystem::path const folder = parent / "assay-write-benchmark";
    std::uint64_t const round = 65536 * static_cast<std::uint64_t>(world.size());
    std::uint64_t const asked = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 4'000'000;
    std::uint64_t const samples = std::max<std::uint64_t>(asked / round, 1) * round; // whole rounds
    int const repetitions = argc > 3 ? std::atoi(argv[3]) : 5;
    std::filesystem::create_directories(folder);
    if (world.is_root())
        fmt::print("{} ranks, 10 columns of {} floats ({} MB), {} repetitions, median (min to max)\n\n"
                   "| samples per shard | flush | pass, MB/s | plain MPI-IO, MB/s | ratio |\n"
                   "|---|---|---|---|---|\n",
                   world.size(), samples, samples * 40 / 1'000'000, repetitions);
    measure(world, folder, {samples, 65536, false}, repetitions);
    measure(world, folder, {samples, 65536, true}, repetitions);
    measure(world, folder, {samples, 1024, false}, repetitions);
    world.barrier();
    if (world.is_root())
        std::filesystem::remove_all(folder);
}
