#include "assay/pass/pass.hpp"

#include "assay/base/fault.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/pass/progress.hpp"

#include <algorithm>
#include <future>
#include <numeric>
#include <optional>
#include <set>

namespace assay::pass {

namespace {

std::uint64_t checksum(std::vector<float> const& values) {
    return checksum_of(std::as_bytes(std::span(values)));
}

std::vector<float> read_shard(store::ResultFile const& file, Source const& source, Shard const& shard) {
    std::vector<float> values;
    for (std::string const& column : source.columns) {
        std::vector<float> const part = file.read(column, shard.begin, shard.size());
        values.insert(values.end(), part.begin(), part.end());
    }
    return values;
}

// Columns are written when a rank holds this much of them, or at a commit: each call costs ranks a few rounds
// of messages, whatever is in it. More would leave the processor's cache (docs/experiments/write_speed.md)
constexpr std::uint64_t kBufferBytes = 4 << 20;

// The loop over rounds: in round r, rank k takes the missing shard number r x ranks + k
class Loop {
  public:
    Loop(comm::Communicator const& comm, store::ResultFile& file, std::span<Source const> sources,
         ShardPlan const& plan, std::vector<std::uint64_t> missing, double commit_seconds)
        : comm_(comm),
          file_(file),
          sources_(sources),
          plan_(plan),
          missing_(std::move(missing)),
          clock_(commit_seconds) {}

    void run(Progress& progress, std::uint64_t done) {
        std::optional<Reading> next = read(0);
        for (std::size_t first = 0; first < missing_.size(); first += ranks()) {
            if (Computed computed = compute(first, next); computed.shard)
                unwritten_.push_back(std::move(computed));
            for (std::uint64_t number : round(first)) {
                Shard const shard = plan_[number];
                done += shard.size();
                unwritten_sources_.insert(shard.source);
                unwritten_bytes_ += shard.size() * sources_[shard.source].row_values() * sizeof(float);
            }
            progress.update(done);
            bool const last = first + ranks() >= missing_.size();
            bool const stop = anyone_asked_to_stop(comm_);
            if (last || stop || clock_.due(comm_))
                commit();
            else if (unwritten_bytes_ / ranks() > kBufferBytes)
                write();
            if (stop && !last)
                throw_stopped();
        }
    }

  private:
    struct Reading {
        Shard shard;
        data::Samples samples;
        std::optional<Error> problem;
    };
    struct Computed {
        std::optional<Shard> shard;
        std::vector<float> values;
    };

    std::size_t ranks() const { return static_cast<std::size_t>(comm_.size()); }

    // All ranks' shards of the round that begins at missing shard `first`
    std::span<std::uint64_t const> round(std::size_t first) const {
        return std::span(missing_).subspan(first, std::min(ranks(), missing_.size() - first));
    }

    // Reads this rank's shard of a round; problems are kept for the next agreement
    std::optional<Reading> read(std::size_t first) const {
        std::size_t const mine = first + static_cast<std::size_t>(comm_.rank());
        if (mine >= missing_.size())
            return std::nullopt;
        Reading reading{plan_[missing_[mine]], {}, {}};
        reading.problem = comm::attempt([&] {
            reading.samples = sources_[reading.shard.source].read(reading.shard.begin, reading.shard.end);
        });
        return reading;
    }

    // Collective. Computes what was read while another thread reads for the next round. HDF5 knows no
    // threads, but the two never overlap: this one touches no file until the reader is joined
    Computed compute(std::size_t first, std::optional<Reading>& next) {
        std::optional<Reading> current = std::exchange(next, std::nullopt);
        return comm::agree(comm_, [&]() -> Computed {
            if (!current)
                return {};
            if (current->problem)
                throw *current->problem;
            auto reading = std::async(std::launch::async, [&] { return read(first + ranks()); });
            Shard const shard = current->shard;
            std::vector<float> values = sources_[shard.source].compute(std::move(current->samples));
            next = reading.get();
            return {shard, std::move(values)};
        });
    }

    // Collective. Writes the columns of the shards computed since the last time, each column in one call; a
    // rank without shards of a source takes part with nothing
    void write() {
        for (std::size_t source : unwritten_sources_)
            write_columns(source);
        std::vector<std::uint64_t> numbers, checksums;
        for (Computed const& computed : unwritten_) {
            numbers.push_back(computed.shard->number);
            checksums.push_back(checksum(computed.values));
        }
        file_.write_checksums(numbers, checksums);
        uncommitted_.insert(uncommitted_.end(), numbers.begin(), numbers.end());
        unwritten_.clear();
        unwritten_sources_.clear();
        unwritten_bytes_ = 0;
    }

    void write_columns(std::size_t source) {
        std::uint64_t before = 0; // values per sample in the columns before this one
        std::vector<store::RowRange> ranges;
        for (Computed const& computed : unwritten_)
            if (computed.shard->source == source)
                ranges.push_back({computed.shard->begin, computed.shard->size()});
        for (std::size_t c = 0; c < sources_[source].columns.size(); ++c) {
            std::vector<float> values;
            for (Computed const& computed : unwritten_) {
                if (computed.shard->source != source)
                    continue;
                std::uint64_t const count = computed.shard->size();
                auto const begin = computed.values.begin() + static_cast<std::ptrdiff_t>(before * count);
                values.insert(values.end(), begin,
                              begin + static_cast<std::ptrdiff_t>(sources_[source].width(c) * count));
            }
            before += sources_[source].width(c);
            file_.write<float>(sources_[source].columns[c], ranges, values);
            fault_point("shard");
        }
    }

    void commit() {
        write();
        file_.commit(uncommitted_);
        uncommitted_.clear();
        clock_.restart();
    }

    comm::Communicator const& comm_;
    store::ResultFile& file_;
    std::span<Source const> sources_;
    ShardPlan const& plan_;
    std::vector<std::uint64_t> missing_; // numbers
    CommitClock clock_;
    std::vector<Computed> unwritten_;         // this rank's
    std::set<std::size_t> unwritten_sources_; // all ranks'
    std::uint64_t unwritten_bytes_ = 0;       // all ranks'
    std::vector<std::uint64_t> uncommitted_;
};

} // namespace

std::uint64_t Source::row_values() const {
    return widths.empty() ? columns.size() : std::accumulate(widths.begin(), widths.end(), std::uint64_t{0});
}

ShardPlan::ShardPlan(std::span<Source const> sources, std::uint64_t shard_size)
    : ShardPlan(
          [&] {
              std::vector<Sequence> sequences;
              for (Source const& source : sources)
                  sequences.push_back({source.name, source.size});
              return sequences;
          }(),
          shard_size) {}

PassSummary run_pass(comm::Communicator const& comm, store::ResultFile& file, std::span<Source const> sources,
                     PassOptions const& options) {
    ShardPlan const plan(sources, options.shard_size);
    std::vector<std::string> columns;
    for (Source const& source : sources)
        columns.insert(columns.end(), source.columns.begin(), source.columns.end());
    Remaining remaining = find_remaining(comm, file, plan, columns, [&](Shard const& shard) {
        return checksum(read_shard(file, sources[shard.source], shard));
    });
    Progress progress("samples", remaining.samples, remaining.done, !comm.is_root());
    Loop(comm, file, sources, plan, std::move(remaining.missing), options.commit_seconds)
        .run(progress, remaining.done);
    return remaining.summary;
}

} // namespace assay::pass
