#include "app/valuation_memory.hpp"

#include "assay/base/error.hpp"
#include "assay/base/log.hpp"
#include "assay/valuation/inverted_lists.hpp"

#include <algorithm>
#include <cmath>

#include <unistd.h>

namespace assay::app {

namespace {

constexpr double kGiB = 1 << 30;
// Libraries; blocks of queries, of at most 64 MiB each, on their way and searched for; their lists and
// products; pieces of files
constexpr double kBuffers = 500e6;

// A rank's slice of a matrix with the norms of its rows
double slice(std::uint64_t rows, std::uint64_t width, double value_bytes, int ranks) {
    return std::ceil(static_cast<double>(rows) / ranks) *
           (static_cast<double>(width) * value_bytes + 2 * sizeof(float));
}

double value_bytes(JobRun const& run) {
    return run.job.features.storage == "float32" ? 4 : 2;
}

// Both spaces' training rows; for an approximate search, the centroids three times on every rank, and the
// sample that places them twice on root
MemoryNeed main_search(JobRun const& run, ValuationSize const& size) {
    int const ranks = run.comm.size();
    std::uint64_t const n = size.extent.rows;
    double bytes = slice(n, size.widths.first, value_bytes(run), ranks) +
                   slice(n, size.widths.second, value_bytes(run), ranks);
    if (run.job.valuation.search == "ivf") {
        auto const cells = static_cast<std::uint64_t>(valuation::number_of_cells(n, run.job.valuation.lists));
        std::uint64_t const sample =
            run.comm.is_root() ? std::min(n, cells * valuation::kSampleOfEachCell) : 0;
        bytes += sizeof(float) * static_cast<double>((3 * cells + 2 * sample) * size.widths.first);
    }
    return {
        bytes,
        fmt::format("the search among {} features of {} samples", size.widths.first + size.widths.second, n),
        "Use more ranks on more hosts, features.storage=\"float16\", or fewer features"};
}

MemoryNeed pixel_search(JobRun const& run, ValuationSize const& size) {
    double const bytes =
        size.pixel_baseline ? slice(size.extent.rows, size.stored_width, 4, run.comm.size()) : 0;
    return {bytes, "the baseline in stored values",
            "Use valuation.pixel_baseline=\"no\", or more ranks on more hosts"};
}

// Those among generated and held-out samples
MemoryNeed other_searches(JobRun const& run, ValuationSize const& size) {
    bool const reverse = run.job.valuation.nearest_generated > 0 && run.job.valuation.search == "exact";
    std::uint64_t const rows = std::max(size.held_out, reverse ? size.extent.generated : 0);
    return {slice(rows, size.widths.first, value_bytes(run), run.comm.size()),
            fmt::format("the search among {} generated or held-out samples", rows),
            "Use more ranks on more hosts, or valuation.nearest_generated=0"};
}

// Second moments, of up to eight parts on a rank, their sum, and what an eigensolver takes
MemoryNeed components(JobRun const& run, ValuationSize const& size) {
    auto const width = static_cast<double>(size.stored_width);
    return {run.job.features.space == "pca" ? 12 * sizeof(double) * width * width : 0,
            fmt::format("the covariance of {} values per sample", size.stored_width),
            "Use another features.space"};
}

// Numbers of every row, group, listed row and generated sample, on root
MemoryNeed reduction(JobRun const& run, ValuationSize const& size) {
    job::Valuation const& options = run.job.valuation;
    valuation::Extent const& extent = size.extent;
    auto const rows = static_cast<double>(extent.rows), generated = static_cast<double>(extent.generated),
               subsets = static_cast<double>(size.subsets),
               replicates = static_cast<double>(options.bootstrap);
    auto const replicated =
        static_cast<double>(extent.labels + extent.groups + static_cast<std::uint64_t>(options.listed));
    auto const attributes = static_cast<double>(extent.attributes);
    double const bytes = rows * (200 + attributes + 8 * std::ceil(subsets / 64)) +
                         generated * (64 + attributes) + 3 * sizeof(std::int64_t) * replicated * replicates +
                         sizeof(std::uint32_t) * subsets * replicates;
    return {
        run.comm.is_root() ? bytes : 0,
        fmt::format("the reduction of {} samples and {} groups", extent.rows, extent.labels + extent.groups),
        "Use fewer valuation.bootstrap replicates, or a host with more memory for the first rank"};
}

} // namespace

MemoryNeed memory_needed(JobRun const& run, ValuationSize const& size) {
    MemoryNeed most = std::max({main_search(run, size), pixel_search(run, size), other_searches(run, size),
                                components(run, size), reduction(run, size)},
                               [](MemoryNeed const& a, MemoryNeed const& b) { return a.bytes < b.bytes; });
    most.bytes += kBuffers;
    return most;
}

namespace {

// Bytes that a rank may use
double memory_allowed(JobRun const& run) {
    double const host =
        static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
    return run.job.valuation.memory > 0 ? run.job.valuation.memory * kGiB
                                        : host / run.placement.ranks_on_host;
}

// Empty: it is not
std::string too_much(JobRun const& run, ValuationSize const& size) {
    MemoryNeed const need = memory_needed(run, size);
    if (need.bytes <= memory_allowed(run))
        return "";
    return fmt::format(
        "rank {} of {} needs {:.2f} GiB for {} ({:.2f} GiB may be used: {}). {}", run.comm.rank(),
        run.comm.size(), need.bytes / kGiB, need.stage, memory_allowed(run) / kGiB,
        run.job.valuation.memory > 0 ? "valuation.memory" : "the rank's share of its host", need.remedy);
}

} // namespace

void check_memory(JobRun const& run, ValuationSize const& size) {
    comm::agree(run.comm, [&] {
        if (std::string const problem = too_much(run, size); !problem.empty())
            fail(Exit::usage, "{}", problem);
    });
}

void warn_of_memory(JobRun const& run, ValuationSize const& size) {
    std::string const problem = too_much(run, size);
    if (run.comm.is_root() && !problem.empty())
        spdlog::warn("as many ranks as now would be refused: {}", problem);
}

} // namespace assay::app
