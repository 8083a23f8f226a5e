#include "assay/valuation/neighbour_pass.hpp"

#include "assay/base/error.hpp"
#include "assay/base/fault.hpp"
#include "assay/base/log.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/pass/progress.hpp"
#include "assay/valuation/search.hpp"

#include <algorithm>

namespace assay::valuation {

namespace {

std::string row_column(Search const& search) {
    return search.group + "/row";
}
std::string distance_column(Search const& search) {
    return search.group + "/distance";
}

std::string centroid_column(Search const& search) {
    return (search.cells_of.empty() ? search.group : search.cells_of) + "/centroid";
}
std::uint64_t cells_of(Search const& search) {
    return static_cast<std::uint64_t>(number_of_cells(search.space.training.rows, search.ivf->lists));
}

// Collective. Those that an earlier run has left, or placed now: elsewhere k-means may place others, and
// lists found with both do not go together
std::vector<float> cells_in(store::ResultFile& file, Search const& search, TrainingRows const& rows) {
    if (std::optional<std::vector<double>> const kept = file.kept(centroid_column(search)))
        return {kept->begin(), kept->end()};
    std::vector<float> cells = place_cells(rows, *search.ivf);
    file.keep(centroid_column(search), std::vector<double>(cells.begin(), cells.end()));
    return cells;
}

std::uint64_t checksum(Neighbours const& lists) {
    return pass::checksum_of(std::as_bytes(std::span(lists.distances)),
                             pass::checksum_of(std::as_bytes(std::span(lists.rows))));
}

Neighbours read_lists(store::ResultFile const& file, Search const& search, pass::Shard const& shard) {
    return {search.k, file.read<std::int64_t>(row_column(search), shard.begin, shard.size()),
            file.read<double>(distance_column(search), shard.begin, shard.size())};
}

// A block of queries on its way from the rank that reads it
struct Block {
    pass::Shard shard;
    int owner = 0;                     // who reads it, and receives its lists
    std::vector<float> values, second; // of the search's space and of that which ranks again
    comm::BackgroundBroadcast first_broadcast, second_broadcast;

    void progress() {
        first_broadcast.progress();
        second_broadcast.progress();
    }
    void wait() {
        first_broadcast.wait();
        second_broadcast.wait();
    }
};

// What is in memory for one search
class Engine {
  public:
    // Collective
    Engine(comm::Communicator const& comm, store::ResultFile& file, Search const& search,
           std::string const& device)
        : search_(search),
          rows_(comm, search.space.training, search.space.distance, search.space.storage),
          searcher_(rows_, {.device = device}) {
        if (search.ivf)
            inverted_.emplace(rows_, cells_in(file, search, rows_), search.ivf->probes);
        if (!search.rerank)
            return;
        Space const& second = search.rerank->space;
        comm::agree(comm, [&] {
            if (second.training.rows != search.space.training.rows ||
                second.queries.rows != search.space.queries.rows)
                fail(Exit::data,
                     "{}: the space to rank again in has {} training rows and {} queries, the first {} and "
                     "{}. Give "
                     "features of the same samples",
                     search.name, second.training.rows, second.queries.rows, search.space.training.rows,
                     search.space.queries.rows);
        });
        second_rows_.emplace(comm, second.training, second.distance, second.storage);
    }
    Engine(Engine const&) = delete;
    Engine& operator=(Engine const&) = delete;

    // Collective. The lists of a block that has arrived, on its owner
    Neighbours lists(Block& block, std::function<void()> const& between_tiles) {
        QueryBlock queries{search_.space.queries.name, block.shard.begin, std::move(block.values)};
        auto const nearest = [&](std::int64_t k) {
            return inverted_ ? inverted_->search(std::move(queries), k, block.owner)
                             : searcher_.search(std::move(queries), k, block.owner, between_tiles);
        };
        std::int64_t const among = proposed(search_, rows_.total());
        if (!search_.rerank)
            return nearest(among);
        Neighbours found = nearest(among);
        found.rows.resize(block.shard.size() * static_cast<std::uint64_t>(among));
        comm::broadcast_bytes(rows_.comm(), found.rows.data(), found.rows.size() * sizeof(std::int64_t),
                              block.owner);
        return nearest_among(*second_rows_,
                             {search_.rerank->space.queries.name, block.shard.begin, std::move(block.second)},
                             found.rows, search_.k, block.owner);
    }

    // Collective. Says for how many queries lists were too short
    void report() const {
        if (std::int64_t const most = comm::all_max(rows_.comm(), searcher_.second_passes()); most > 0)
            spdlog::info(
                "{}: {} queries were compared with all training rows twice (too many were near-equal)",
                search_.name, most);
    }

  private:
    Search const& search_;
    TrainingRows rows_;
    Searcher searcher_;
    std::optional<InvertedLists> inverted_;
    std::optional<TrainingRows> second_rows_;
};

// Lists are written when this much of them waits per rank, or at a commit, as in the other pass
constexpr std::uint64_t kBufferBytes = 4 << 20;

// The loop over missing blocks: the n-th belongs to rank n mod ranks
class Loop {
  public:
    Loop(comm::Communicator const& comm, store::ResultFile& file, std::span<Search const> searches,
         pass::ShardPlan const& plan, pass::Remaining const& remaining, NeighbourOptions const& options)
        : comm_(comm),
          file_(file),
          searches_(searches),
          plan_(plan),
          missing_(remaining.missing),
          options_(options),
          done_(remaining.done),
          clock_(options.commit_seconds) {}

    void run(pass::Progress& progress) {
        for (std::size_t begin = 0, end = 0; begin < missing_.size(); begin = end) {
            std::size_t const source = plan_[missing_[begin]].source;
            while (end < missing_.size() && plan_[missing_[end]].source == source)
                ++end;
            run_search(searches_[source], begin, end, progress);
        }
    }

  private:
    struct Found {
        pass::Shard shard;
        Neighbours lists;
    };

    // Missing blocks [begin, end) are those of one search
    void run_search(Search const& search, std::size_t begin, std::size_t end, pass::Progress& progress) {
        Engine engine(comm_, file_, search, options_.device);
        Block next = start(search, begin);
        for (std::size_t i = begin; i < end; ++i) {
            Block block = std::move(next);
            block.wait();
            if (i + 1 < end)
                next = start(search, i + 1);
            Neighbours lists = engine.lists(block, [&] { next.progress(); });
            if (comm_.rank() == block.owner)
                unwritten_.push_back({block.shard, std::move(lists)});
            unwritten_bytes_ += block.shard.size() * static_cast<std::uint64_t>(search.k) * 16;
            done_ += block.shard.size();
            progress.update(done_);
            finish_block(search, i + 1 == end, i + 1 == missing_.size());
        }
        engine.report();
    }

    // Collective. Its owner reads a block and all begin its broadcast
    Block start(Search const& search, std::size_t number) const {
        Block block;
        block.shard = plan_[missing_[number]];
        block.owner = static_cast<int>(number % static_cast<std::size_t>(comm_.size()));
        auto const read = [&](FeatureMatrix const& matrix) {
            std::vector<float> values(block.shard.size() * matrix.width);
            if (comm_.rank() == block.owner)
                matrix.read(block.shard.begin, block.shard.size(), values);
            return values;
        };
        comm::agree(comm_, [&] {
            block.values = read(search.space.queries);
            if (search.rerank)
                block.second = read(search.rerank->space.queries);
        });
        block.first_broadcast = {comm_, block.values, block.owner};
        if (search.rerank)
            block.second_broadcast = {comm_, block.second, block.owner};
        return block;
    }

    // Collective
    void finish_block(Search const& search, bool last_of_search, bool last) {
        bool const stop = pass::anyone_asked_to_stop(comm_);
        bool const commit = last || stop || clock_.due(comm_);
        if (commit || last_of_search ||
            unwritten_bytes_ / static_cast<std::uint64_t>(comm_.size()) > kBufferBytes)
            write(search);
        if (commit) {
            file_.commit(uncommitted_);
            uncommitted_.clear();
            clock_.restart();
        }
        if (stop && !last)
            pass::throw_stopped();
    }

    // Collective. All lists of one search that wait on any rank
    void write(Search const& search) {
        std::vector<store::RowRange> ranges;
        std::vector<std::int64_t> rows;
        std::vector<double> distances;
        std::vector<std::uint64_t> numbers, checksums;
        for (auto const& [shard, lists] : unwritten_) {
            ranges.push_back({shard.begin, shard.size()});
            rows.insert(rows.end(), lists.rows.begin(), lists.rows.end());
            distances.insert(distances.end(), lists.distances.begin(), lists.distances.end());
            numbers.push_back(shard.number);
            checksums.push_back(checksum(lists));
        }
        file_.write<std::int64_t>(row_column(search), ranges, rows);
        fault_point("shard");
        file_.write<double>(distance_column(search), ranges, distances);
        file_.write_checksums(numbers, checksums);
        uncommitted_.insert(uncommitted_.end(), numbers.begin(), numbers.end());
        unwritten_.clear();
        unwritten_bytes_ = 0;
    }

    comm::Communicator const& comm_;
    store::ResultFile& file_;
    std::span<Search const> searches_;
    pass::ShardPlan const& plan_;
    std::vector<std::uint64_t> const& missing_;
    NeighbourOptions const& options_;
    std::uint64_t done_;                // queries
    std::vector<Found> unwritten_;      // this rank's
    std::uint64_t unwritten_bytes_ = 0; // all ranks'
    std::vector<std::uint64_t> uncommitted_;
    pass::CommitClock clock_;
};

} // namespace

std::int64_t proposed(Search const& search, std::int64_t rows) {
    return search.rerank ? std::clamp(search.rerank->candidates, std::min(search.k, rows), rows) : search.k;
}

pass::ShardPlan neighbour_shards(std::span<Search const> searches, std::uint64_t block) {
    std::vector<pass::Sequence> sequences;
    for (Search const& search : searches)
        sequences.push_back({search.name, search.space.queries.rows});
    return {std::move(sequences), block};
}

std::vector<store::Column> neighbour_columns(Search const& search) {
    store::Shape const shape{search.space.queries.rows, static_cast<std::uint64_t>(search.k)};
    Distance const distance = search.rerank ? search.rerank->space.distance : search.space.distance;
    std::vector<store::Column> columns{
        {row_column(search), store::native_type<std::int64_t>(), shape,
         fmt::format("{}: rows of the nearest samples, nearest first", search.name), "1", ""},
        {distance_column(search), store::native_type<double>(), shape,
         fmt::format("{}: their distances ({})", search.name, name_of(distance)), "1", ""}};
    if (search.ivf && search.cells_of.empty())
        columns.push_back({centroid_column(search),
                           store::native_type<double>(),
                           {cells_of(search), search.space.training.width},
                           "centers of the cells of the approximate search",
                           "1",
                           ""});
    return columns;
}

pass::PassSummary find_neighbours(comm::Communicator const& comm, store::ResultFile& file,
                                  std::span<Search const> searches, NeighbourOptions const& options) {
    pass::ShardPlan const plan = neighbour_shards(searches, options.block);
    std::vector<std::string> columns;
    for (Search const& search : searches)
        columns.insert(columns.end(), {row_column(search), distance_column(search)});
    pass::Remaining const remaining =
        pass::find_remaining(comm, file, plan, columns, [&](pass::Shard const& shard) {
            return checksum(read_lists(file, searches[shard.source], shard));
        });
    pass::Progress progress("queries", remaining.samples, remaining.done, !comm.is_root());
    Loop(comm, file, searches, plan, remaining, options).run(progress);
    return remaining.summary;
}

} // namespace assay::valuation
