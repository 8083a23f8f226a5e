// What a usage job costs one rank of many, without the others (docs/scale.md):
//   benchmark_scale pass N R SHARD_SIZE [RANK]   plays rank RANK (0, the root) of R through a job on N
//   suspects benchmark_scale reduce N                     makes a results file of N suspects and fits it, as
//   root does
// Files go to the current folder and are removed at the end; samples are holes, results take real space.
#include "app/commands.hpp"
#include "app/usage_pass.hpp"

#include "assay/base/random.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/data/choose.hpp"
#include "assay/pass/pass.hpp"
#include "assay/usage/columns.hpp"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>

using namespace assay;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> const kSignals{"forward"};

// One row of the table: seconds, the largest memory since the stage began, what was exchanged
class Stages {
  public:
    explicit Stages(comm::Communicator const& comm) : comm_(comm) {
        fmt::print("| {:<34} | {:>9} | {:>9} | {:>11} | {:>12} |\n", "stage", "seconds", "peak MiB",
                   "collectives", "MiB received");
        fmt::print("|{:-<36}|{:->10}:|{:->10}:|{:->12}:|{:->13}:|\n", "", "", "", "", "");
    }

    void run(char const* name, std::function<void()> const& work) {
        std::ofstream("/proc/self/clear_refs") << 5; // forget the peak so far
        comm::Traffic const before = comm_.traffic();
        auto const start = std::chrono::steady_clock::now();
        work();
        std::chrono::duration<double> const took = std::chrono::steady_clock::now() - start;
        comm::Traffic const& now = comm_.traffic();
        fmt::print("| {:<34} | {:>9.2f} | {:>9.0f} | {:>11} | {:>12.1f} |\n", name, took.count(), peak_mib(),
                   now.calls - before.calls, static_cast<double>(now.bytes - before.bytes) / (1 << 20));
        std::fflush(stdout);
    }

  private:
    static double peak_mib() {
        std::ifstream status("/proc/self/status");
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("VmHWM:"))
                return std::stod(line.substr(6)) / 1024;
        return 0;
    }

    comm::Communicator comm_;
};

// A data set of `size` samples of which the file system stores nothing: all zero
void make_holes(fs::path const& path, std::uint64_t size) {
    store::Handle const file = store::create_file(path);
    store::create_dataset(file, "/samples", store::native_type<std::uint8_t>(), {size, 1},
                          store::Fill::nothing);
    store::create_dataset(file, "/labels", store::native_type<std::int64_t>(), {size}, store::Fill::nothing);
}

// Reads samples, and computes zeros instead of a model's signals
std::vector<pass::Source> sources_of(data::Split const& split,
                                     std::vector<usage::SignalInfo> const& signals) {
    std::vector<pass::Source> sources;
    for (auto const& [view, group] : {std::pair(&split.suspects, usage::kSuspectSignals),
                                      std::pair(&*split.held_out, usage::kHeldOutSignals)}) {
        pass::Source source;
        source.name = group;
        source.size = view->size();
        for (usage::SignalInfo const& signal : signals)
            source.columns.push_back(std::string(group) + "/" + signal.name);
        source.read = [view = view](std::uint64_t begin, std::uint64_t end) {
            return view->read(begin, end);
        };
        source.compute = [columns = signals.size()](data::Samples&& samples) {
            return std::vector<float>(columns * samples.ids.size());
        };
        sources.push_back(std::move(source));
    }
    return sources;
}

void play_pass(std::uint64_t size, int ranks, std::uint64_t shard_size, int rank) {
    make_holes("scale-suspects.h5", size);
    make_holes("scale-held-out.h5", 1 << 20);
    job::Job job;
    job.dataset.suspects = "scale-suspects.h5";
    job.dataset.held_out = "scale-held-out.h5";
    job.dataset.classes = 10;
    job.model.file = "none.pt"; // not opened here
    auto const comm = comm::Communicator::dry_run(rank, ranks);
    auto const signals = usage::choose_signals(kSignals, {"classifier"});
    fmt::print("rank {} of {}: {} suspects, {} held-out samples, shards of {}, {} signals\n\n", rank, ranks,
               size, 1 << 20, shard_size, signals.size());

    Stages stages(comm);
    data::Split split;
    stages.run("open, count classes, deal", [&] { split = data::make_split(comm, job); });
    stages.run("check values and ids", [&] {
        for (data::View const* view : {&split.suspects, &*split.held_out}) {
            data::Slice const mine = data::my_slice(comm, view->dataset().info().size);
            data::check_values(view->dataset(), mine.begin, mine.end);
            data::check_unique_ids(comm, view->dataset());
        }
    });
    auto const sources = sources_of(split, signals);
    store::ResultLayout layout;
    std::optional<store::ResultFile> file;
    stages.run("create the results file", [&] {
        layout = app::usage_layout(job, split, signals, pass::ShardPlan(sources, shard_size).size());
        if (!comm.is_root()) // then root made it before
            store::ResultFile::create({}, "scale-results.h5", layout).close();
        file.emplace(comm.is_root() ? store::ResultFile::create(comm, "scale-results.h5", layout)
                                    : store::ResultFile::reopen(comm, "scale-results.h5"));
    });
    stages.run("write ids and labels", [&] { app::write_known_columns(comm, *file, job, split); });
    pass::PassSummary summary;
    stages.run("plan, read, write, commit", [&] {
        summary = pass::run_pass(comm, *file, sources, {.shard_size = shard_size, .commit_seconds = 10});
    });
    stages.run("close", [&] { file->close(); });
    fmt::print("\n{} shards, {} rounds; results file {:.1f} GiB\n", summary.shards,
               (summary.shards + static_cast<std::uint64_t>(ranks) - 1) / static_cast<std::uint64_t>(ranks),
               static_cast<double>(fs::file_size("scale-results.h5.partial")) / (1 << 30));
    for (char const* path : {"scale-suspects.h5", "scale-held-out.h5", "scale-results.h5.partial"})
        fs::remove(path);
}

// Column `number` of a side: noise, higher for the half of the suspects that are members
void write_signal(store::Handle const& file, std::string const& path, std::uint64_t size,
                  std::uint64_t number, double shift) {
    store::Handle const column =
        store::create_dataset(file, path, store::native_type<float>(), {size}, store::Fill::nothing);
    constexpr std::uint64_t kPiece = 1 << 20;
    std::vector<float> values;
    for (std::uint64_t first = 0; first < size; first += kPiece) {
        values.resize(std::min(kPiece, size - first));
        for (std::size_t i = 0; i < values.size(); ++i) {
            // Four 16-bit uniforms make a bell; Philox would take minutes here
            std::uint64_t const bits = mix64(mix64(number) ^ (first + i));
            double const sum = static_cast<double>((bits & 0xFFFF) + (bits >> 16 & 0xFFFF) +
                                                   (bits >> 32 & 0xFFFF) + (bits >> 48));
            double const noise = (sum * 0x1p-16 - 2) * 1.7320508;
            values[i] = static_cast<float>(noise + ((first + i) % 2 ? shift : 0));
        }
        store::write_rows(column, first, values.size(), store::native_type<float>(), values.data());
    }
}

void write_ids(store::Handle const& file, std::string const& path, std::uint64_t size) {
    store::Handle const column =
        store::create_dataset(file, path, store::native_type<std::uint64_t>(), {size}, store::Fill::nothing);
    constexpr std::uint64_t kPiece = 1 << 20;
    std::vector<std::uint64_t> ids;
    for (std::uint64_t first = 0; first < size; first += kPiece) {
        ids.resize(std::min(kPiece, size - first));
        for (std::size_t i = 0; i < ids.size(); ++i)
            ids[i] = first + i;
        store::write_rows(column, first, ids.size(), store::native_type<std::uint64_t>(), ids.data());
    }
}

void fit(std::uint64_t size) {
    std::uint64_t const held_out = std::min<std::uint64_t>(size, 1 << 20);
    auto const signals = usage::choose_signals(kSignals, {"classifier"});
    Stages stages(comm::Communicator::dry_run(0, 1));
    stages.run("make the columns", [&] {
        store::Handle const file = store::create_file("scale-columns.h5");
        write_ids(file, usage::kSuspectIds, size);
        write_ids(file, usage::kHeldOutIds, held_out);
        for (std::size_t k = 0; k < signals.size(); ++k) {
            write_signal(file, usage::kSuspectSignals + ("/" + signals[k].name), size, k, 2);
            write_signal(file, usage::kHeldOutSignals + ("/" + signals[k].name), held_out, 100 + k, 0);
        }
    });
    stages.run("read, fit, report", [] { app::reduce({"scale-columns.h5", {}, "scale-report", true}); });
    fmt::print("\n{} suspects, {} held-out samples, {} signals\n", size, held_out, signals.size());
    fs::remove("scale-columns.h5");
    fs::remove_all("scale-report");
}

std::uint64_t number(char const* text) {
    return static_cast<std::uint64_t>(std::stod(text)); // 1e9 is a number, too
}

} // namespace

int main(int argc, char** argv) {
    std::string const what = argc > 1 ? argv[1] : "";
    if (what == "pass" && (argc == 5 || argc == 6))
        play_pass(number(argv[2]), static_cast<int>(number(argv[3])), number(argv[4]),
                  argc == 6 ? static_cast<int>(number(argv[5])) : 0);
    else if (what == "reduce" && argc == 3)
        fit(number(argv[2]));
    else
        return fmt::print(stderr, "usage: benchmark_scale pass N R SHARD_SIZE [RANK] | reduce N\n"), 64;
    return 0;
}
