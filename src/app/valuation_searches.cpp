#include "app/valuation_searches.hpp"

#include "assay/valuation/columns.hpp"
#include "valuation/draw.hpp"

#include <algorithm>

namespace assay::app {

namespace {

using valuation::FeatureMatrix;
using valuation::Search;
using valuation::Space;

// How deep the baseline in raw pixels and the audit of memorisation look
constexpr std::int64_t kBaselineDepth = 100, kNearest = 1;
// Values of a sample up to which the baseline in raw pixels is cheap enough not to be asked for
constexpr std::uint64_t kSmallSample = 4096;

// Some rows of a matrix
FeatureMatrix chosen(FeatureMatrix const& all, std::vector<std::uint64_t> rows) {
    FeatureMatrix some{all.name, rows.size(), all.width, {}};
    some.read = [read = all.read, width = all.width,
                 rows = std::move(rows)](std::uint64_t begin, std::uint64_t count, std::span<float> out) {
        for (std::uint64_t i = 0; i < count; ++i)
            read(rows[begin + i], 1, out.subspan(i * width, width));
    };
    return some;
}

bool is_checked(Search const& search) {
    return search.group == valuation::kExactNeighbours || search.group == valuation::kDoubledNeighbours;
}

std::string query_column(Search const& search) {
    return search.group + "/query";
}

// What takes a feature space to a space of searches
class Spaces {
  public:
    explicit Spaces(job::Job const& job)
        : distance_(valuation::distance_named(job.valuation.distance)),
          storage_(valuation::storage_named(job.features.storage)) {}
    Space operator()(FeatureMatrix const& training, FeatureMatrix const& queries) const {
        return {training, queries, distance_, storage_};
    }

  private:
    valuation::Distance distance_;
    valuation::Storage storage_;
};

Search main_search(JobRun const& run, FeatureSpaces const& spaces) {
    Spaces const among(run.job);
    Search search{.name = "generated samples",
                  .space = among(spaces.first.training, spaces.first.generated),
                  .k = list_length(run, spaces.first.training.rows),
                  .group = valuation::kNeighbours};
    if (spaces.second)
        search.rerank = {among(spaces.second->training, spaces.second->generated), run.job.valuation.rerank};
    if (run.job.valuation.search == "ivf")
        search.ivf = {run.job.valuation.lists, run.job.valuation.probes, run.seed()};
    return search;
}

// The same search for a few queries, under another name
Search check_of(Search const& main, std::vector<std::uint64_t> const& queries, std::string name,
                std::string group) {
    Search search = main;
    search.name = std::move(name);
    search.group = std::move(group);
    search.cells_of = main.group;
    search.space.queries = chosen(main.space.queries, queries);
    if (search.rerank)
        search.rerank->space.queries = chosen(main.rerank->space.queries, queries);
    return search;
}

// What shows how much a shortened search misses
void add_checks(std::vector<Search>& searches, std::vector<std::uint64_t> const& queries) {
    Search const main = searches.front();
    if (main.ivf) {
        searches.push_back(
            check_of(main, queries, "some generated samples, exactly", valuation::kExactNeighbours));
        searches.back().ivf.reset();
    }
    if (main.rerank && static_cast<std::uint64_t>(main.rerank->candidates) < main.space.training.rows) {
        searches.push_back(check_of(main, queries, "some generated samples, twice the candidates",
                                    valuation::kDoubledNeighbours));
        searches.back().rerank->candidates *= 2;
    }
}

} // namespace

std::int64_t list_length(JobRun const& run, std::uint64_t rows) {
    job::Valuation const& options = run.job.valuation;
    std::int64_t const wanted = run.job.features.second == "none"
                                    ? std::max(options.k, options.depth)
                                    : std::min(std::max(options.k, options.depth), options.rerank);
    return std::min(wanted, static_cast<std::int64_t>(rows));
}

bool has_pixel_baseline(JobRun const& run, Sides const& sides) {
    job::Job const& job = run.job;
    if (job.valuation.pixel_baseline != "auto")
        return job.valuation.pixel_baseline == "yes";
    bool const is_main = job.features.space == "pixels" && job.features.second == "none" &&
                         job.features.normalise == "none" && job.valuation.distance == "l2";
    return !is_main && job.valuation.search == "exact" &&
           sides.training.info().sample_elements() <= kSmallSample;
}

std::vector<std::uint64_t> checked_queries(JobRun const& run, Sides const& sides) {
    return valuation::draw_rows(sides.generated.size(),
                                static_cast<std::uint64_t>(run.job.valuation.checked_queries), run.seed(),
                                "checked queries");
}

std::vector<Search> searches_of(JobRun const& run, Sides const& sides, FeatureSpaces const& spaces) {
    FeatureSpace const& space = spaces.first;
    Spaces const among(run.job);
    std::vector<Search> searches{main_search(run, spaces)};
    add_checks(searches, checked_queries(run, sides));
    // The other way round an approximate search would need a check of its own
    if (run.job.valuation.nearest_generated > 0 && run.job.valuation.search == "exact")
        searches.push_back({.name = "training samples, among generated ones",
                            .space = among(space.generated, space.training),
                            .k = std::min(run.job.valuation.nearest_generated,
                                          static_cast<std::int64_t>(space.generated.rows)),
                            .group = valuation::kToGenerated});
    if (has_pixel_baseline(run, sides)) {
        FeatureSpace const pixels = pixel_space(sides, valuation::RowCheck::finite);
        searches.push_back({.name = "generated samples, in stored values",
                            .space = {pixels.training, pixels.generated},
                            .k = std::min(kBaselineDepth, static_cast<std::int64_t>(pixels.training.rows)),
                            .group = valuation::kPixelNeighbours});
    }
    if (space.held_out) {
        searches.push_back({.name = "generated samples, among held-out ones",
                            .space = among(*space.held_out, space.generated),
                            .k = kNearest,
                            .group = valuation::kToHeldOut});
        searches.push_back({.name = "held-out samples",
                            .space = among(space.training, *space.held_out),
                            .k = kNearest,
                            .group = valuation::kHeldOutToTraining});
    }
    return searches;
}

valuation::NeighbourOptions search_options(JobRun const& run, std::vector<Search> const& searches) {
    constexpr std::uint64_t kMostValues = 1 << 24, kMostListed = 1 << 20; // of a block: 64 MiB of each
    std::uint64_t block = run.shard_size();
    for (Search const& search : searches) {
        std::uint64_t widest = search.space.queries.width;
        if (search.rerank)
            widest = std::max(widest, search.rerank->space.queries.width);
        std::int64_t const listed =
            valuation::proposed(search, static_cast<std::int64_t>(search.space.training.rows));
        block = std::min({block, kMostValues / widest, kMostListed / static_cast<std::uint64_t>(listed)});
    }
    return {std::max<std::uint64_t>(block, 1), run.job.output.commit_seconds, run.placement.device.str()};
}

void announce_searches(store::ResultLayout& layout, std::vector<Search> const& searches) {
    for (Search const& search : searches) {
        for (store::Column const& column : valuation::neighbour_columns(search))
            layout.columns.push_back(column);
        if (is_checked(search))
            layout.columns.push_back({query_column(search),
                                      store::native_type<std::int64_t>(),
                                      {search.space.queries.rows},
                                      "rows of /generated",
                                      "1",
                                      ""});
    }
}

void write_checked_queries(JobRun const& run, store::ResultFile& file, Sides const& sides,
                           std::vector<Search> const& searches) {
    std::vector<std::uint64_t> const queries = checked_queries(run, sides);
    for (Search const& search : searches)
        if (is_checked(search))
            write_in_slices(run.comm, file, query_column(search), queries.size(),
                            [&](std::uint64_t begin, std::uint64_t end) {
                                return std::vector<std::int64_t>(queries.data() + begin,
                                                                 queries.data() + end);
                            });
}

} // namespace assay::app
