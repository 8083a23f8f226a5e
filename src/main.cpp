// The command line. Commands that need no MPI (import, reduce, report, dump-job, version) run without it.
#include "app/commands.hpp"

#include "assay/base/error.hpp"
#include "assay/base/gpus.hpp"
#include "assay/base/log.hpp"
#include "assay/base/signals.hpp"
#include "assay/base/version.hpp"
#include "assay/comm/agree.hpp"
#include "assay/data/import.hpp"
#include "assay/job/job_file.hpp"
#include "assay/model/torch_setup.hpp"
#include "assay/store/hdf5.hpp"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>

namespace {

using namespace assay;

// One line, whatever the message holds
void print_error(std::string message) {
    std::replace(message.begin(), message.end(), '\n', ' ');
    fmt::print(stderr, "assay: {}\n", message);
}

// After failed writes HDF5 still holds data that it would try to write again when MPI is finalized, and fail
// or hang
[[noreturn]] void leave_at_once(comm::Communicator const& world, Exit code) {
    world.barrier(); // root has spoken
    if (world.size() > 1)
        MPI_Abort(MPI_COMM_WORLD, static_cast<int>(code));
    std::_Exit(static_cast<int>(code));
}

// Runs a command on all ranks. What ranks agreed on ends all of them with one code and one line from root;
// anything else ends the job at once, since the other ranks cannot know
int with_mpi(int argc, char** argv, std::function<void(comm::Communicator const&)> const& command) {
    watch_for_stop();
    H5dont_atexit(); // files are closed by then, or must not be touched any more
    comm::MpiScope const mpi(argc, argv);
    comm::Communicator const world(MPI_COMM_WORLD);
    init_log(world.rank());
    try {
        command(world);
        return static_cast<int>(Exit::done);
    } catch (comm::AgreedError const& error) {
        if (world.is_root())
            print_error(error.what());
        if (error.code() == Exit::io)
            leave_at_once(world, error.code());
        return static_cast<int>(error.code());
    } catch (Error const& error) {
        print_error(fmt::format("rank {}: {}", world.rank(), error.what()));
        MPI_Abort(MPI_COMM_WORLD, static_cast<int>(error.code()));
    } catch (std::exception const& error) {
        print_error(fmt::format("rank {}: {}", world.rank(), error.what()));
        MPI_Abort(MPI_COMM_WORLD, static_cast<int>(Exit::internal));
    }
    return static_cast<int>(Exit::internal);
}

int without_mpi(std::function<void()> const& command) {
    init_log(0);
    try {
        command();
        return static_cast<int>(Exit::done);
    } catch (Error const& error) {
        print_error(error.what());
        if (error.code() == Exit::io)
            std::_Exit(static_cast<int>(error.code())); // see leave_at_once()
        return static_cast<int>(error.code());
    } catch (std::exception const& error) {
        print_error(error.what());
        return static_cast<int>(Exit::internal);
    }
}

void import(data::ImportRequest const& request) {
    data::ImportSummary const summary = data::import_dataset(request);
    fmt::print("{}: {} samples of {}, {} classes, from {}\n", request.output.string(), summary.samples,
               summary.sample_shape, summary.classes, summary.kind);
}

void print_version() {
    fmt::print("assay {} ({})\ntorch {}, GPUs visible: {}\n", version(), git_hash(), model::torch_version(),
               torch::cuda::device_count());
    for (std::string const& uuid : gpu_uuids())
        fmt::print("driver: {}\n", uuid);
}

void dump_job(std::string const& kind) {
    job::Job job;
    job.job.kind = kind;
    fmt::print("{}", job::dump(job, /*explain=*/true));
}

void add_job_options(CLI::App& command, app::RunRequest& request) {
    command.add_option("job", request.job, "job file (TOML)")->required();
    command.add_option("--set", request.overrides, "override one key: section.key=value")
        ->allow_extra_args(false);
    command.add_option("--output", request.output, "folder of the results, instead of the job's");
    command.add_flag("--resume", request.resume, "go on with an unfinished run");
    command.add_flag("--overwrite", request.overwrite, "replace what is in the output folder");
    command.add_flag("--share-gpus", request.share_gpus, "several ranks may use one GPU");
}

void add_size_option(CLI::App& command, app::RunRequest& request) {
    command.add_flag("--allow-size-mismatch", request.allow_size_mismatch,
                     "run although the launcher announced another number of ranks");
}

void add_reduce_options(CLI::App& command, app::ReduceRequest& request) {
    command.add_option("results", request.results, "results file (HDF5)")->required();
    command.add_option("-o,--output", request.output, "folder of summary.json, instead of the results' own");
    command.add_flag("--overwrite", request.overwrite, "replace a summary.json with other numbers");
}

} // namespace

int main(int argc, char** argv) {
    std::signal(SIGXFSZ, SIG_IGN); // a file over the size limit is then an error of write(), with a message
    CLI::App cli("assay: how much of a data set was used to train a model");
    cli.require_subcommand(1);
    data::ImportRequest import_request;
    app::RunRequest run_request;
    app::ReduceRequest reduce_request;
    std::optional<std::int64_t> cell;
    std::string kind;
    bool list = false, collect = false;
    for (int i = 0; i < argc; ++i)
        run_request.command_line += (i ? " " : "") + std::string(argv[i]);

    CLI::App* const import_command =
        cli.add_subcommand("import", "make a data set file from images or arrays");
    import_command
        ->add_option("source", import_request.source, "IDX, CIFAR, .npy, folder of images, or CSV manifest")
        ->required();
    import_command->add_option("-o,--output", import_request.output, "data set file to make")->required();
    import_command->add_option("--labels", import_request.labels,
                               "labels, where they are in a file of their own");
    import_command->add_flag("--overwrite", import_request.overwrite, "replace the output");
    CLI::App* const check_command =
        cli.add_subcommand("check", "find what is wrong with a job before it waits in a queue");
    add_job_options(*check_command, run_request);
    CLI::App* const run_command =
        cli.add_subcommand("run", "compute, fit, answer; also under mpirun or srun");
    add_job_options(*run_command, run_request);
    add_size_option(*run_command, run_request);
    CLI::App* const sweep_command =
        cli.add_subcommand("sweep", "run a grid of jobs ([sweep] in the job file) on groups of ranks");
    add_job_options(*sweep_command, run_request);
    add_size_option(*sweep_command, run_request);
    CLI::Option* const cell_option =
        sweep_command->add_option("--cell", cell, "run one cell alone, by its number");
    CLI::Option* const list_option =
        sweep_command->add_flag("--list", list, "check all cells and print them, nothing more")
            ->excludes(cell_option);
    sweep_command->add_flag("--collect", collect, "make the table of the cells that are complete")
        ->excludes(cell_option)
        ->excludes(list_option);
    CLI::App* const reduce_command = cli.add_subcommand("reduce", "fit again from a results file, offline");
    add_reduce_options(*reduce_command, reduce_request);
    reduce_command
        ->add_option("--set", reduce_request.overrides, "override one key of the job: usage.key=value")
        ->allow_extra_args(false);
    CLI::App* const report_command =
        cli.add_subcommand("report", "print the table of a results file, write summary.json");
    add_reduce_options(*report_command, reduce_request);
    CLI::App* const dump_command =
        cli.add_subcommand("dump-job", "print a complete job file with every key explained");
    dump_command->add_option("kind", kind, "usage, generate or valuation")
        ->required()
        ->check(CLI::IsMember({"usage", "generate", "valuation"}));
    CLI::App* const version_command = cli.add_subcommand("version", "version, git hash, libraries, devices");

    try {
        cli.parse(argc, argv);
    } catch (CLI::CallForHelp const& help) {
        return cli.exit(help);
    } catch (CLI::ParseError const& error) {
        print_error(std::string(error.what()) + ". See assay --help");
        return static_cast<int>(Exit::usage);
    }

    if (run_command->parsed())
        return with_mpi(argc, argv, [&](auto const& world) { app::run(world, run_request); });
    if (list)
        return without_mpi([&] { app::list_cells(run_request); });
    if (collect)
        return without_mpi([&] { app::collect_cells(run_request); });
    if (sweep_command->parsed())
        return with_mpi(argc, argv, [&](auto const& world) { app::sweep(world, {run_request, cell}); });
    if (check_command->parsed())
        return with_mpi(argc, argv, [&](auto const& world) { app::check(world, run_request); });
    if (import_command->parsed())
        return without_mpi([&] { import(import_request); });
    if (reduce_command->parsed() || report_command->parsed())
        return without_mpi([&] { fmt::print("{}", app::reduce(reduce_request)); });
    if (dump_command->parsed())
        return without_mpi([&] { dump_job(kind); });
    if (version_command->parsed())
        return without_mpi(print_version);
    return static_cast<int>(Exit::internal); // not reached: a subcommand is required
}
