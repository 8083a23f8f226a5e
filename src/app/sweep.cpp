#include "app/job_run.hpp"

#include "assay/base/error.hpp"
#include "assay/base/log.hpp"
#include "assay/base/signals.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/comm/message.hpp"
#include "assay/job/sweep.hpp"
#include "assay/report/sweep.hpp"

#include <cstdio>

namespace assay::app {

namespace {

using Cells = std::vector<std::size_t>;

// A job file with [sweep], read, and its folder
struct Plan {
    job::Sweep sweep;
    std::filesystem::path folder;
    RunRequest request;

    OutputFiles files(std::size_t cell) const { return {folder / report::cell_name(cell)}; }
    std::size_t size() const { return sweep.cells.size(); }
};

std::filesystem::path sweep_file(Plan const& plan) {
    return plan.folder / "sweep.h5";
}

Plan make_plan(RunRequest const& request, job::Sweep sweep) {
    OutputFiles const files = output_of(sweep.cells.front(), request.output);
    return {std::move(sweep), files.folder, request};
}

// Local. The cells with complete results; Error(usage) if those are of another job
std::vector<std::uint8_t> find_complete(Plan const& plan) {
    std::vector<std::uint8_t> complete(plan.size(), 0);
    for (std::size_t cell = 0; cell < plan.size(); ++cell)
        if (std::filesystem::path const results = plan.files(cell).results();
            std::filesystem::exists(results)) {
            check_same_job(results, plan.sweep.cells[cell]);
            complete[cell] = 1;
        }
    return complete;
}

void check_number(Plan const& plan, std::int64_t cell) {
    if (cell < 0 || cell >= static_cast<std::int64_t>(plan.size()))
        fail(Exit::usage, "--cell {} (there are cells 0 to {}). `assay sweep --list` shows them", cell,
             plan.size() - 1);
}

// Local. A run killed at its very end may have left results without their summary
bool has_summary(Plan const& plan, std::size_t cell) {
    return plan.sweep.cells[cell].job.kind == "generate" ||
           std::filesystem::exists(plan.files(cell).summary());
}

// Collective. Every cell's folder may be written to; the cells that there is something to do for
Cells find_missing(comm::Communicator const& world, Plan const& plan) {
    RunRequest const& request = plan.request;
    Cells missing;
    comm::agree(world, [&] {
        if (!world.is_root())
            return;
        for (std::size_t cell = 0; cell < plan.size(); ++cell)
            check_output(plan.files(cell), request.resume, request.overwrite);
        if (request.overwrite && !request.resume)
            for (char const* made_of_cells : {"sweep.h5", "lds.h5"}) // must not outlive them
                std::filesystem::remove(plan.folder / made_of_cells);
        auto const complete =
            request.resume ? find_complete(plan) : std::vector<std::uint8_t>(plan.size(), 0);
        for (std::size_t cell = 0; cell < plan.size(); ++cell)
            if (!complete[cell] || !has_summary(plan, cell))
                missing.push_back(cell);
    });
    comm::broadcast_object(world, missing);
    return missing;
}

// --- Groups of ranks -------------------------------------------------------------------------------------

// Groups of consecutive ranks, as equal as can be, of at least ranks_per_cell where there are so many
struct Groups {
    std::int64_t ranks = 1, count = 1;
    std::int64_t of(std::int64_t rank) const { return rank * count / ranks; }
};

Groups make_groups(comm::Communicator const& world, Plan const& plan, std::size_t cells) {
    std::int64_t const most = std::max<std::int64_t>(1, world.size() / plan.sweep.ranks_per_cell);
    return {world.size(), std::clamp(static_cast<std::int64_t>(cells), std::int64_t{1}, most)};
}

// The places of one group's ranks
Placement part_of(Placement const& whole, Groups const& groups, std::int64_t group) {
    Placement part = whole;
    part.ranks.clear();
    for (std::size_t rank = 0; rank < whole.ranks.size(); ++rank)
        if (groups.of(static_cast<std::int64_t>(rank)) == group)
            part.ranks.push_back(whole.ranks[rank]);
    return part;
}

// --- Cells -----------------------------------------------------------------------------------------------

// How a cell ended
struct Outcome {
    std::int64_t cell = 0, code = 0; // an Exit
    std::string message;             // empty for a cell that was not begun
    bool stopping = false;           // its group had been asked to stop

    bool is(Exit exit) const { return code == static_cast<std::int64_t>(exit); }
    bool failed() const { return !is(Exit::done) && !is(Exit::stopped); }
    std::string name() const { return report::cell_name(static_cast<std::size_t>(cell)); }

    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
        archive& cell& code& message& stopping;
    }
};
using Outcomes = std::vector<Outcome>;

bool anyone_asked_to_stop(comm::Communicator const& group) {
    return comm::all_max(group, stop_requested()) > 0;
}

// Collective over the group
Outcome run_cell(comm::Communicator const& group, Plan const& plan, Placement const& placement,
                 std::size_t cell) {
    auto const number = static_cast<std::int64_t>(cell);
    if (anyone_asked_to_stop(group))
        return {number, static_cast<std::int64_t>(Exit::stopped), "", true};
    init_log(group.rank(), report::cell_name(cell));
    try {
        run_job({group, plan.sweep.cells[cell], plan.request, placement, plan.files(cell), true});
        return {number, static_cast<std::int64_t>(Exit::done), "", false};
    } catch (comm::AgreedError const& error) { // any other is for main(), which ends all ranks
        if (group.is_root())
            spdlog::log(error.code() == Exit::stopped ? spdlog::level::info : spdlog::level::err, "{}",
                        error.what());
        return {number, static_cast<std::int64_t>(error.code()), error.what(), anyone_asked_to_stop(group)};
    }
}

// Collective. Deals the cells to groups of ranks, which do not wait for one another; how each cell ended, in
// the order of cells
Outcomes run_cells(comm::Communicator const& world, Plan const& plan, Cells const& cells) {
    Placement const placement = place_ranks(world, plan.sweep.cells.front().compute, plan.request.share_gpus);
    Groups const groups = make_groups(world, plan, cells.size());
    std::int64_t const mine = groups.of(world.rank());
    spdlog::info("{} cells, {} of them to do, by {} group(s) of ranks", plan.size(), cells.size(),
                 groups.count);
    Outcomes outcomes;
    {
        comm::Communicator const group = world.split(static_cast<int>(mine));
        Placement const places = part_of(placement, groups, mine);
        for (auto i = static_cast<std::size_t>(mine); i < cells.size();
             i += static_cast<std::size_t>(groups.count)) {
            outcomes.push_back(run_cell(group, plan, places, cells[i]));
            if (outcomes.back().stopping)
                break;
        }
        init_log(world.rank());
        if (!group.is_root())
            outcomes.clear(); // root speaks for its group
    }
    world.patient_barrier();
    Outcomes all;
    for (Outcomes const& of_rank : comm::all_gather_objects(world, outcomes))
        all.insert(all.end(), of_rank.begin(), of_rank.end());
    std::ranges::sort(all, {}, &Outcome::cell);
    return all;
}

// --- The end ---------------------------------------------------------------------------------------------

std::string names_of(Cells const& cells) {
    constexpr std::size_t kMost = 20;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < std::min(cells.size(), kMost); ++i)
        names.push_back(report::cell_name(cells[i]));
    return fmt::format("{}{}", fmt::join(names, ", "), cells.size() > kMost ? ", ..." : "");
}

// Local (root). sweep.h5, the table, and lds.h5 where the cells are generators trained on parts of one set;
// the cells that are not complete
Cells make_table(Plan const& plan) {
    std::vector<std::uint8_t> const complete = find_complete(plan);
    Cells missing;
    for (std::size_t cell = 0; cell < plan.size(); ++cell)
        if (!complete[cell])
            missing.push_back(cell);
    if (missing.size() == plan.size())
        return missing;
    OutputLock const lock(plan.folder);
    report::SweepTable const table = report::read_cells(plan.folder, plan.sweep, complete);
    report::write_sweep(plan.folder, plan.sweep, table);
    job::Job const& job = plan.sweep.cells.front();
    std::string for_lds;
    if (job.job.kind == "generate" && !job.generate.score.empty() && missing.empty()) {
        if (report::write_lds(plan.folder, plan.sweep))
            for_lds = fmt::format("for valuation.lds: {}\n", (plan.folder / "lds.h5").string());
        else
            spdlog::warn("no lds.h5: the cells differ in their candidate or their scored samples");
    }
    fmt::print("{}results: {}\n{}answer: {} of {} cells are complete\n",
               report::sweep_table(plan.sweep, table), sweep_file(plan).string(), for_lds,
               plan.size() - missing.size(), plan.size());
    return missing;
}

bool any_of(Outcomes const& outcomes, auto const& is_such) {
    return std::ranges::any_of(outcomes, is_such);
}

bool failed_to_write(Outcome const& outcome) {
    return outcome.is(Exit::io);
}

// Did this start get the cell any further?
bool has_progress(Outcome const& outcome) {
    return outcome.is(Exit::done) || (outcome.is(Exit::stopped) && !outcome.message.empty());
}

// The same on all ranks. Throws AgreedError if a cell failed, with the code of the first that did
void throw_failed(Plan const& plan, Outcomes const& outcomes) {
    Cells failed;
    for (Outcome const& outcome : outcomes)
        if (outcome.failed())
            failed.push_back(static_cast<std::size_t>(outcome.cell));
    if (failed.empty())
        return;
    auto first = std::ranges::find_if(outcomes, failed_to_write); // its code makes main() leave HDF5 alone
    if (first == outcomes.end())
        first = std::ranges::find_if(outcomes, &Outcome::failed);
    throw comm::AgreedError(static_cast<Exit>(first->code),
                            fmt::format("{} of {} cells failed ({}). {}: {}", failed.size(), plan.size(),
                                        names_of(failed), first->name(), first->message));
}

// Collective
void finish(comm::Communicator const& world, Plan const& plan, Outcomes const& outcomes) {
    if (any_of(outcomes, failed_to_write))
        throw_failed(plan, outcomes);
    bool const stopped = any_of(outcomes, &Outcome::stopping);
    // Without progress, a cell that was stopped before it got any further is a failure
    if (stopped && (any_of(outcomes, has_progress) || !any_of(outcomes, &Outcome::failed)))
        throw comm::AgreedError(Exit::stopped,
                                "the sweep stopped on a signal, its state saved. Run again with --resume");
    comm::agree(world, [&] {
        if (world.is_root() && !stopped)
            make_table(plan);
    });
    throw_failed(plan, outcomes);
}

} // namespace

void sweep(comm::Communicator const& world, SweepRequest const& request) {
    check_world_size(world, request.run.allow_size_mismatch);
    job::Sweep read;
    comm::agree(world, [&] {
        if (world.is_root())
            read = job::read_sweep(request.run.job, request.run.overrides);
    });
    comm::broadcast_object(world, read);
    Plan const plan = make_plan(request.run, std::move(read));
    if (request.cell) {
        comm::agree(world, [&] { check_number(plan, *request.cell); });
        std::size_t const cell = static_cast<std::size_t>(*request.cell);
        job::Job const& job = plan.sweep.cells[cell];
        run_job({world, job, plan.request, place_ranks(world, job.compute, request.run.share_gpus),
                 plan.files(cell)});
        return;
    }
    Cells const missing = find_missing(world, plan);
    finish(world, plan, missing.empty() ? Outcomes() : run_cells(world, plan, missing));
}

void list_cells(RunRequest const& request) {
    job::Sweep const sweep = job::read_sweep(request.job, request.overrides);
    for (std::size_t cell = 0; cell < sweep.cells.size(); ++cell)
        fmt::print("{} {}\n", report::cell_name(cell), fmt::join(sweep.overrides(cell), " "));
}

void collect_cells(RunRequest const& request) {
    Plan const plan = make_plan(request, job::read_sweep(request.job, request.overrides));
    Cells const missing = make_table(plan);
    if (!missing.empty())
        fail(Exit::data, "{}: {} of {} cells are not complete ({}). Run them with --resume",
             plan.folder.string(), missing.size(), plan.size(), names_of(missing));
}

} // namespace assay::app
