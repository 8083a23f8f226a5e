#include "app/valuation_memory.hpp"

#include "assay/base/error.hpp"
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

// Searches come one after the other
double largest_search(JobRun const& run, ValuationSize const& size) {
    int const ranks = run.comm.size();
    double const bytes = run.job.features.storage == "float32" ? 4 : 2;
    std::uint64_t const n = size.extent.rows;
    double const main =
        slice(n, size.widths.first, bytes, ranks) + slice(n, size.widths.second, bytes, ranks);
    double const pixels = size.pixel_baseline ? slice(n, size.stored_width, 4, ranks) : 0;
    double const others =
        slice(std::max(size.held_out, size.extent.generated), size.widths.first, bytes, ranks);
    return std::max({main, pixels, others});
}

// On root, twice: gathered, and as k-means takes it
double cells(JobRun const& run, ValuationSize const& size) {
    if (run.job.valuation.search != "ivf")
        return 0;
    return 2.0 * sizeof(float) * valuation::kSampleOfEachCell *
           static_cast<double>(valuation::number_of_cells(size.extent.rows, run.job.valuation.lists)) *
           static_cast<double>(size.widths.first);
}

// Second moments, of up to eight parts on a rank, their sum, and what an eigensolver takes
double components(JobRun const& run, ValuationSize const& size) {
    auto const width = static_cast<double>(size.stored_width);
    return run.job.features.space == "pca" ? 12 * sizeof(double) * width * width : 0;
}

// Numbers of every row, group, listed row and generated sample
double reduction(JobRun const& run, ValuationSize const& size) {
    job::Valuation const& options = run.job.valuation;
    valuation::Extent const& extent = size.extent;
    auto const rows = static_cast<double>(extent.rows), generated = static_cast<double>(extent.generated),
               subsets = static_cast<double>(size.subsets);
    auto const replicated =
        static_cast<double>(extent.labels + extent.groups + static_cast<std::uint64_t>(options.listed));
    return rows * (168 + static_cast<double>(extent.attributes) + 8 * std::ceil(subsets / 64)) +
           generated * (64 + static_cast<double>(extent.attributes)) +
           3 * sizeof(std::int64_t) * replicated * static_cast<double>(options.bootstrap) +
           sizeof(std::uint32_t) * subsets * static_cast<double>(options.bootstrap);
}

} // namespace

double memory_needed(JobRun const& run, ValuationSize const& size) {
    double const on_root = run.comm.is_root() ? reduction(run, size) : 0;
    double const placing = run.comm.is_root() ? cells(run, size) : 0;
    return kBuffers + std::max({largest_search(run, size) + placing, components(run, size), on_root});
}

void check_memory(JobRun const& run, ValuationSize const& size) {
    double const host =
        static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
    comm::agree(run.comm, [&] {
        double const needed = memory_needed(run, size);
        double const may = run.job.valuation.memory > 0 ? run.job.valuation.memory * kGiB
                                                        : host / run.placement.ranks_on_host;
        if (needed > may)
            fail(Exit::usage,
                 "rank {} needs {:.1f} GiB to credit {} training samples in spaces of {} and {} values "
                 "({:.1f} "
                 "GiB may be used: {}). Use more ranks on more hosts, features.storage=\"float16\", fewer "
                 "features.components, or fewer valuation.bootstrap replicates",
                 run.comm.rank(), needed / kGiB, size.extent.rows, size.widths.first, size.widths.second,
                 may / kGiB,
                 run.job.valuation.memory > 0 ? "valuation.memory" : "the rank's share of its host");
    });
}

} // namespace assay::app
