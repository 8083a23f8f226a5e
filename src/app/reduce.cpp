#include "app/commands.hpp"
#include "app/valuation_reduce.hpp"
#include "assay/job/job_file.hpp"
#include "assay/report/summary.hpp"
#include "assay/usage/columns.hpp"
#include "assay/valuation/columns.hpp"

#include <algorithm>
#include <array>

namespace assay::app {

namespace {

// What a file says of the job that made it. One written by hand says nothing: the defaults then hold, and
// what it is about shows from its columns
struct Origin {
    job::Job job;
    std::string name;
    bool by_hand = false;
};

// Error(usage) for a key that lists already made cannot follow: the answer would claim what it is not
void check_reducible(ReduceRequest const& request) {
    constexpr std::array kDecidedBySearch{
        "distance",          "depth",  "search",         "lists", "probes", "checked_queries",
        "nearest_generated", "rerank", "pixel_baseline", "memory"};
    for (std::string const& override : request.overrides) {
        std::string const key = override.substr(0, override.find('='));
        std::string_view const name = std::string_view(key).substr(key.find('.') + 1);
        if ((!key.starts_with("valuation.") && !key.starts_with("job.")) ||
            std::ranges::find(kDecidedBySearch, name) != kDecidedBySearch.end())
            fail(Exit::usage,
                 "{} cannot be changed now ({} holds the neighbours that were found with it). Use assay run",
                 key, request.results.string());
    }
}

Origin read_origin(ReduceRequest const& request) {
    store::Handle const file = store::open_to_read(request.results);
    std::string text = store::read_string(file, "/", "job").value_or("");
    bool const by_hand = text.empty();
    if (by_hand && store::exists(file, valuation::kNeighbours))
        text = "job.kind = \"valuation\"\n";
    job::Job const job = job::parse(text, request.results.string() + "@job", request.overrides);
    if (job.job.kind == "valuation" && !by_hand)
        check_reducible(request);
    return {job, by_hand ? request.results.stem().string() : job.job.name, by_hand};
}

std::string answer_usage(ReduceRequest const& request, Origin const& origin,
                         std::filesystem::path const& folder) {
    usage::AuditInput const input = usage::read_columns(request.results, origin.job);
    usage::Audit const audit = usage::audit_usage(input, usage::audit_options(origin.job));
    auto const truth = report::read_truth(request.results, input);
    report::write_summary(folder, report::summary(origin.name, audit, truth), request.overwrite);
    return fmt::format("{}{}\n", report::table(origin.name, audit, truth), report::answer(audit));
}

std::string answer_valuation(ReduceRequest const& request, Origin const& origin,
                             std::filesystem::path const& folder) {
    ReducedValuation const reduced =
        reduce_valuation(request.results, origin.job, origin.name, origin.by_hand);
    report::write_summary(folder, report::summary(reduced.valuation, reduced.context), request.overwrite);
    valuation::write_values(folder / "values.h5", reduced.valuation, reduced.context.ids);
    write_removal_lists(folder, reduced, origin.job);
    return fmt::format("{}{}\n", report::table(reduced.valuation, reduced.context),
                       report::answer(reduced.valuation));
}

} // namespace

std::string reduce(ReduceRequest const& request) {
    Origin const origin = read_origin(request);
    std::filesystem::path const folder =
        request.output.empty() ? std::filesystem::absolute(request.results).parent_path() : request.output;
    return origin.job.job.kind == "valuation" ? answer_valuation(request, origin, folder)
                                              : answer_usage(request, origin, folder);
}

} // namespace assay::app
