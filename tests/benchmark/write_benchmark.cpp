// What the results file's protocol costs: the same columns written in rounds of one shard per rank through
// ResultFile, as a pass does it, and through plain MPI-IO into a file of the same size; both end on the disk.
//   mpirun -n 2 build/release/tests/benchmark_write [FOLDER [SAMPLES [REPETITIONS]]]
#include "assay/base/log.hpp"
#include "assay/base/random.hpp"
#include "assay/base/stats.hpp"
#include "assay/store/result_file.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

namespace {

using namespace assay;

struct Shape {
    std::uint64_t samples, shard, commit_every; // commit_every in rounds
    std::uint64_t columns = 10;
};

std::string name_of(std::uint64_t column) {
    return fmt::format("/signals/s{}", column);
}

// Seconds of the slowest rank between two barriers
template <class Work>
double timed(comm::Communicator const& world, Work&& work) {
    world.barrier();
    auto const begin = std::chrono::steady_clock::now();
    work();
    world.barrier();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Calls write(shard of this rank, or none) in each round and commit(shards) now and then and at the end
template <class Write, class Commit>
void in_rounds(comm::Communicator const& world, Shape const& shape, Write&& write, Commit&& commit) {
    std::uint64_t const ranks = static_cast<std::uint64_t>(world.size()),
                        shards = shape.samples / shape.shard, rounds = (shards + ranks - 1) / ranks;
    std::vector<std::uint64_t> written;
    for (std::uint64_t round = 0; round < rounds; ++round) {
        std::uint64_t const shard = round * ranks + static_cast<std::uint64_t>(world.rank());
        write(shard < shards ? shard : store::ResultFile::none);
        if (shard < shards)
            written.push_back(shard);
        if ((round + 1) % shape.commit_every == 0 || round + 1 == rounds) {
            commit(written);
            written.clear();
        }
    }
}

double through_result_file(comm::Communicator const& world, std::filesystem::path const& path,
                           Shape const& shape, std::span<float const> values) {
    store::ResultLayout layout;
    for (std::uint64_t c = 0; c < shape.columns; ++c)
        layout.columns.push_back({name_of(c), store::native_type<float>(), {shape.samples}, "", "1", ""});
    layout.shards = shape.samples / shape.shard;
    store::ResultFile file = store::ResultFile::create(world, path, layout);
    if (world.is_root())
        store::sync_to_disk(store::partial_of(path));
    return timed(world, [&] {
        in_rounds(
            world, shape,
            [&](std::uint64_t shard) {
                std::uint64_t const n = shard == store::ResultFile::none ? 0 : shape.shard;
                for (std::uint64_t c = 0; c < shape.columns; ++c)
                    file.write<float>(name_of(c), n ? shard * n : 0, values.subspan(c * shape.shard, n));
                file.write_checksum(shard, shard);
            },
            [&](std::vector<std::uint64_t> const& shards) { file.commit(shards); });
        file.close();
    });
}

double through_mpi_io(comm::Communicator const& world, std::filesystem::path const& path, Shape const& shape,
                      std::span<float const> values) {
    if (world.is_root()) { // already there in full, as the columns are
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
    return timed(world, [&] {
        in_rounds(
            world, shape,
            [&](std::uint64_t shard) {
                std::uint64_t const n = shard == store::ResultFile::none ? 0 : shape.shard;
                for (std::uint64_t c = 0; c < shape.columns; ++c)
                    comm::check_mpi(
                        MPI_File_write_at_all(file,
                                              static_cast<MPI_Offset>(
                                                  sizeof(float) * (c * shape.samples + (n ? shard * n : 0))),
                                              values.data() + c * shape.shard, static_cast<int>(n), MPI_FLOAT,
                                              MPI_STATUS_IGNORE),
                        "MPI_File_write_at_all");
            },
            [&](std::vector<std::uint64_t> const&) {
                comm::check_mpi(MPI_File_sync(file), "MPI_File_sync");
            });
        MPI_File_close(&file);
    });
}

void measure(comm::Communicator const& world, std::filesystem::path const& folder, Shape const& shape,
             int repetitions) {
    std::vector<float> values(shape.columns * shape.shard);
    Random random(1, "benchmark");
    for (float& value : values)
        value = static_cast<float>(random.uniform());
    double const megabytes = static_cast<double>(sizeof(float) * shape.columns * shape.samples) / 1e6;
    std::vector<double> ours, plain, ratios;
    for (int i = 0; i < repetitions; ++i) {
        plain.push_back(megabytes / through_mpi_io(world, folder / "plain", shape, values));
        ours.push_back(megabytes / through_result_file(world, folder / "results.h5", shape, values));
        ratios.push_back(ours.back() / plain.back());
    }
    auto const spread = [](std::vector<double> v, int digits) {
        std::sort(v.begin(), v.end());
        return fmt::format("{:.{}f} ({:.{}f} to {:.{}f})", v[v.size() / 2], digits, v.front(), digits,
                           v.back(), digits);
    };
    if (world.is_root())
        fmt::print("| {} | {:.0f} | {} | {} | {} | {} |\n", shape.shard, megabytes, shape.commit_every,
                   spread(ours, 0), spread(plain, 0), spread(ratios, 2));
}

} // namespace

int main(int argc, char** argv) {
    comm::MpiScope const mpi(argc, argv);
    comm::Communicator const world(MPI_COMM_WORLD);
    init_log(world.rank());
    std::filesystem::path const folder =
        std::filesystem::path(argc > 1 ? argv[1] : std::filesystem::temp_directory_path().c_str()) /
        "assay-write-benchmark";
    std::uint64_t const samples = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1 << 22;
    int const repetitions = argc > 3 ? std::atoi(argv[3]) : 5;
    std::filesystem::create_directories(folder);
    if (world.is_root())
        fmt::print("{} ranks, 10 columns of {} floats, {} repetitions, median (min to max)\n\n"
                   "| shard | MB | rounds per commit | results file, MB/s | plain MPI-IO, MB/s | ratio |\n"
                   "|---|---|---|---|---|---|\n",
                   world.size(), samples, repetitions);
    measure(world, folder, {samples, 65536, 8}, repetitions);
    measure(world, folder, {samples, 1024, 512}, repetitions);
    world.barrier();
    if (world.is_root())
        std::filesystem::remove_all(folder);
}
