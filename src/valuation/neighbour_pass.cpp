#include "assay/valuation/neighbour_pass.hpp"

#include "assay/base/error.hpp"
#include "assay/base/fault.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/pass/progress.hpp"
#include "assay/valuation/search.hpp"
#include "valuation/query_stream.hpp"

#include <algorithm>

namespace assay::valuation {

namespace {

using pass::Shard;

// Lists are written when a rank holds this much of them, or at a commit
constexpr std::uint64_t kBufferBytes = 4 << 20;

// A block of wide queries has fewer of them, so that it stays within 64 MiB
std::uint64_t block_size(std::span<Search const> searches, std::uint64_t wanted) {
    constexpr std::uint64_t kMostValues = 1 << 24;
    std::uint64_t widest = 1;
    for (Search const& search : searches) {
        widest = std::max(widest, search.queries.width);
        if (search.rerank)
            widest = std::max(widest, search.rerank->queries.width);
    }
    return std::max<std::uint64_t>(1, std::min(wanted, kMostValues / widest));
}

pass::ShardPlan plan_of(std::span<Search const> searches, std::uint64_t block) {
    std::vector<pass::Sequence> sequences;
    for (Search const& search : searches)
        sequences.push_back({search.name, search.queries.rows});
    return {std::move(sequences), block_size(searches, block)};
}

std::string row_column(Search const& search) {
    return search.group + "/row";
}
std::string distance_column(Search const& search) {
    return search.group + "/distance";
}

std::uint64_t checksum(Neighbours const& lists) {
    return pass::checksum_of(std::as_bytes(std::span(lists.distances)),
                             pass::checksum_of(std::as_bytes(std::span(lists.rows))));
}

// Lists that were found and wait to be written
struct Found {
    Shard shard;
    Neighbours lists; // on the block's owner; empty elsewhere
};

// The loop over the missing blocks of one search
class Loop {
  public:
    Loop(comm::Communicator const& comm, store::ResultFile& file, Search const& search,
         SearchPassOptions const& options, pass::CommitClock& clock)
        : comm_(comm),
          file_(file),
          search_(search),
          clock_(clock),
          rows_(comm, search.training, options.distance, options.storage),
          searcher_(rows_, {.device = options.device}) {
        if (search.rerank)
            second_.emplace(comm, search.rerank->training, options.distance, options.storage);
    }

    // Collective. `done` queries of all searches are on disk, and is brought up to date; `last` says whether
    // no search follows
    void run(std::vector<Shard> const& blocks, pass::Progress& progress, std::uint64_t& done, bool last) {
        QueryStream stream(comm_, search_.queries, blocks);
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            find(blocks[i], stream.next(), owner_of(i), [&] { stream.keep_moving(); });
            done += blocks[i].size();
            progress.update(done);
            bool const at_end = i + 1 == blocks.size();
            bool const stop = pass::anyone_asked_to_stop(comm_);
            if (at_end || stop || clock_.due(comm_))
                commit();
            else if (unwritten_bytes_ > kBufferBytes)
                write();
            if (stop && !(at_end && last))
                pass::throw_stopped();
        }
    }

    std::int64_t second_passes() const { return searcher_.second_passes(); }

  private:
    int owner_of(std::size_t block) const {
        return static_cast<int>(block % static_cast<std::size_t>(comm_.size()));
    }

    // Collective
    void find(Shard const& shard, QueryBlock queries, int owner, std::function<void()> const& between_tiles) {
        Neighbours lists;
        if (search_.rerank)
            lists = put_in_order(
                shard, searcher_.search(std::move(queries), search_.rerank->candidates, owner, between_tiles),
                owner);
        else
            lists = searcher_.search(std::move(queries), search_.k, owner, between_tiles);
        unwritten_bytes_ +=
            shard.size() * static_cast<std::uint64_t>(search_.k) * (sizeof(std::int64_t) + sizeof(double));
        if (comm_.rank() == owner)
            unwritten_.push_back({shard, std::move(lists)});
    }

    // Collective. The k nearest in the second space among what the first has found
    Neighbours put_in_order(Shard const& shard, Neighbours candidates, int owner) {
        candidates.rows.resize(shard.size() * static_cast<std::uint64_t>(search_.rerank->candidates));
        broadcast_from(comm_, owner, candidates.rows);
        QueryStream stream(comm_, search_.rerank->queries, {shard});
        return nearest_among(*second_, stream.next(), candidates.rows, search_.k, owner);
    }

    // Collective. One call for each column, with what each rank holds
    void write() {
        std::vector<store::RowRange> ranges;
        std::vector<std::int64_t> rows;
        std::vector<double> distances;
        std::vector<std::uint64_t> numbers, checksums;
        for (Found const& found : unwritten_) {
            ranges.push_back({found.shard.begin, found.shard.size()});
            rows.insert(rows.end(), found.lists.rows.begin(), found.lists.rows.end());
            distances.insert(distances.end(), found.lists.distances.begin(), found.lists.distances.end());
            numbers.push_back(found.shard.number);
            checksums.push_back(checksum(found.lists));
        }
        file_.write<std::int64_t>(row_column(search_), ranges, rows);
        fault_point("shard");
        file_.write<double>(distance_column(search_), ranges, distances);
        file_.write_checksums(numbers, checksums);
        uncommitted_.insert(uncommitted_.end(), numbers.begin(), numbers.end());
        unwritten_.clear();
        unwritten_bytes_ = 0;
    }

    void commit() {
        write();
        file_.commit(uncommitted_);
        uncommitted_.clear();
        clock_.restart();
    }

    comm::Communicator const& comm_;
    store::ResultFile& file_;
    Search const& search_;
    pass::CommitClock& clock_;
    TrainingRows rows_;
    std::optional<TrainingRows> second_;
    Searcher searcher_;
    std::vector<Found> unwritten_;      // this rank's
    std::uint64_t unwritten_bytes_ = 0; // all ranks'
    std::vector<std::uint64_t> uncommitted_;
};

// Local
Neighbours read_lists(store::ResultFile const& file, Search const& search, Shard const& shard) {
    return {search.k, file.read<std::int64_t>(row_column(search), shard.begin, shard.size()),
            file.read<double>(distance_column(search), shard.begin, shard.size())};
}

} // namespace

void announce_lists(store::ResultLayout& layout, std::span<Search const> searches,
                    SearchPassOptions const& options) {
    for (Search const& search : searches) {
        store::Shape const shape{search.queries.rows, static_cast<std::uint64_t>(search.k)};
        layout.columns.push_back({row_column(search), store::native_type<std::int64_t>(), shape,
                                  "nearest rows of " + search.name + ", nearest first", "1", ""});
        layout.columns.push_back({distance_column(search), store::native_type<double>(), shape,
                                  fmt::format("their distances ({})", name_of(options.distance)), "1", ""});
    }
    layout.shards = plan_of(searches, options.block).size();
}

SearchPassSummary find_neighbours(comm::Communicator const& comm, store::ResultFile& file,
                                  std::span<Search const> searches, SearchPassOptions const& options) {
    pass::ShardPlan const plan = plan_of(searches, options.block);
    std::vector<std::string> columns;
    for (Search const& search : searches)
        columns.insert(columns.end(), {row_column(search), distance_column(search)});
    pass::Remaining remaining = pass::find_remaining(comm, file, plan, columns, [&](Shard const& shard) {
        return checksum(read_lists(file, searches[shard.source], shard));
    });
    std::vector<std::vector<Shard>> blocks(searches.size());
    for (std::uint64_t number : remaining.missing)
        blocks[plan[number].source].push_back(plan[number]);

    pass::Progress progress("queries", remaining.samples, remaining.done, !comm.is_root());
    pass::CommitClock clock(options.commit_seconds);
    SearchPassSummary summary{remaining.summary};
    for (std::size_t s = 0; s < searches.size(); ++s) {
        if (blocks[s].empty())
            continue;
        bool const last = std::all_of(blocks.begin() + static_cast<std::ptrdiff_t>(s) + 1, blocks.end(),
                                      [](auto const& later) { return later.empty(); });
        Loop loop(comm, file, searches[s], options, clock);
        loop.run(blocks[s], progress, remaining.done, last);
        summary.second_passes += comm::all_max(comm, loop.second_passes());
    }
    return summary;
}

} // namespace assay::valuation
