#include "app/commands.hpp"
#include "assay/job/job_file.hpp"
#include "assay/report/summary.hpp"
#include "assay/usage/columns.hpp"

namespace assay::app {

std::string reduce(ReduceRequest const& request) {
    std::string text;
    {
        store::Handle const file = store::open_to_read(request.results);
        text = store::read_string(file, "/", "job").value_or("");
    }
    // A file written by hand carries no job: the defaults then hold
    job::Job const job = job::parse(text, request.results.string() + "@job", request.overrides);
    usage::AuditInput const input = usage::read_columns(request.results, job);
    usage::Audit const audit = usage::audit_usage(input, usage::audit_options(job));
    auto const truth = report::read_truth(request.results, input);
    std::string const name = text.empty() ? request.results.stem().string() : job.job.name;
    std::filesystem::path const folder =
        request.output.empty() ? std::filesystem::absolute(request.results).parent_path() : request.output;
    report::write_summary(folder, report::summary(name, audit, truth), request.overwrite);
    return fmt::format("{}{}\n", report::table(name, audit, truth), report::answer(audit));
}

} // namespace assay::app
