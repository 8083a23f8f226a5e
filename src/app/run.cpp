#include "app/job_run.hpp"

#include "assay/base/log.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/comm/message.hpp"
#include "assay/job/job_file.hpp"

namespace assay::app {

namespace {

job::Job read_job(comm::Communicator const& comm, RunRequest const& request) {
    job::Job job;
    comm::agree(comm, [&] {
        if (comm.is_root())
            job = job::read(request.job, request.overrides);
    });
    comm::broadcast_object(comm, job);
    return job;
}

using Step = void (*)(JobRun const&);

// What a kind of job does
Step step_of(std::string const& kind, Step usage, Step generate, Step valuation) {
    return kind == "generate" ? generate : kind == "valuation" ? valuation : usage;
}

// Collective. Results that are there are reported again
void report_complete(JobRun const& run) {
    spdlog::info("{} is complete, nothing to do", run.files.results().string());
    comm::agree(run.comm, [&] {
        if (!run.comm.is_root())
            return;
        check_same_job(run.files.results(), run.job);
        if (run.job.job.kind != "generate") // which has nothing to reduce
            say(run, reduce({run.files.results(), {}, run.files.folder, true}));
    });
}

} // namespace

void run_job(JobRun const& run) {
    comm::Communicator const& comm = run.comm;
    RunRequest const& request = run.request;
    bool complete = false;
    OutputLock const lock = comm::agree(comm, [&] {
        if (!comm.is_root())
            return OutputLock();
        check_inputs_stay(run.files, run.job);
        check_output(run.files, request.resume, request.overwrite);
        OutputLock held(run.files.folder);
        if (request.overwrite && !request.resume)
            clear_output(run.files);
        complete = std::filesystem::exists(run.files.results());
        return held;
    });
    if (comm::broadcast(comm, std::int64_t{complete}) != 0)
        return report_complete(run);
    step_of(run.job.job.kind, run_usage, run_generate, run_valuation)(run);
}

void run(comm::Communicator const& comm, RunRequest const& request) {
    check_world_size(comm, request.allow_size_mismatch);
    job::Job const job = read_job(comm, request);
    run_job({comm, job, request, place_ranks(comm, job.compute, request.share_gpus),
             output_of(job, request.output)});
}

void check(comm::Communicator const& comm, RunRequest const& request) {
    check_world_size(comm, /*allow_mismatch=*/true); // often one process in an allocation for many
    job::Job const job = read_job(comm, request);
    job::Compute compute = job.compute;
    if (compute.device == "cuda" && !torch::cuda::is_available()) { // a login node has none
        spdlog::info("compute.device=\"cuda\", but no GPU is visible here: places are shown without");
        compute.device = "cpu";
    }
    JobRun const run{comm, job, request, place_ranks(comm, compute, request.share_gpus),
                     output_of(job, request.output)};
    comm::agree(comm, [&] {
        check_inputs_stay(run.files, job);
        check_output(run.files, request.resume, request.overwrite);
    });
    step_of(job.job.kind, check_usage, check_generate, check_valuation)(run);
}

} // namespace assay::app
