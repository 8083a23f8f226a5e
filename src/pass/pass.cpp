#include "assay/pass/pass.hpp"

#include "assay/base/error.hpp"
#include "assay/base/fault.hpp"
#include "assay/base/log.hpp"
#include "assay/base/signals.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/pass/progress.hpp"

#include <algorithm>
#include <chrono>
#include <future>
#include <numeric>
#include <optional>
#include <set>

#include <zlib.h>

namespace assay::pass {

namespace {

std::uint64_t size_of(Shard const& shard) {
    return shard.end - shard.begin;
}

std::uint64_t checksum(std::span<float const> values) {
    auto const bytes = std::as_bytes(values);
    return crc32_z(0, reinterpret_cast<unsigned char const*>(bytes.data()), bytes.size());
}

std::vector<float> read_shard(store::ResultFile const& file, Source const& source, Shard const& shard) {
    std::vector<float> values;
    for (std::string const& column : source.columns) {
        std::vector<float> const part = file.read(column, shard.begin, shard.end - shard.begin);
        values.insert(values.end(), part.begin(), part.end());
    }
    return values;
}

// Collective. Forgets shards whose flag is set but whose data does not match: ranks check in turn
void verify(comm::Communicator const& comm, store::ResultFile& file, std::span<Source const> sources,
            ShardPlan const& plan) {
    std::vector<std::uint64_t> broken;
    comm::agree(comm, [&] {
        if (plan.size() == 0)
            return;
        for (Source const& source :
             sources) // opening is collective: all ranks open all columns, in one order
            for (std::string const& column : source.columns)
                file.read(column, 0, 0);
        file.checksum(0);
        auto const ranks = static_cast<std::uint64_t>(comm.size());
        for (auto number = static_cast<std::uint64_t>(comm.rank()); number < plan.size(); number += ranks) {
            Shard const shard = plan[number];
            if (file.shards_done()[number] &&
                checksum(read_shard(file, sources[shard.source], shard)) != file.checksum(number))
                broken.push_back(number);
        }
    });
    for (std::uint64_t number : broken)
        spdlog::warn("shard {} does not match its checksum and is computed again ({} from number {} on)",
                     number, sources[plan[number].source].name, plan[number].begin);
    file.forget(broken);
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
          commit_seconds_(commit_seconds) {}

    void run(Progress& progress, std::uint64_t done) {
        std::optional<Reading> next = read(0);
        for (std::size_t first = 0; first < missing_.size(); first += ranks()) {
            if (Computed computed = compute(first, next); computed.shard)
                unwritten_.push_back(std::move(computed));
            for (std::uint64_t number : round(first)) {
                Shard const shard = plan_[number];
                done += size_of(shard);
                unwritten_sources_.insert(shard.source);
                unwritten_bytes_ += size_of(shard) * sources_[shard.source].row_values() * sizeof(float);
            }
            progress.update(done);
            bool const last = first + ranks() >= missing_.size();
            bool const stop = comm::all_max(comm_, stop_requested()) > 0;
            if (last || stop || time_to_commit())
                commit();
            else if (unwritten_bytes_ / ranks() > kBufferBytes)
                write();
            if (stop && !last)
                throw comm::AgreedError(Exit::stopped,
                                        "stopped on a signal, finished shards saved. Run again with "
                                        "--resume");
        }
    }

  private:
    using Clock = std::chrono::steady_clock;
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
                ranges.push_back({computed.shard->begin, computed.shard->end - computed.shard->begin});
        for (std::size_t c = 0; c < sources_[source].columns.size(); ++c) {
            std::vector<float> values;
            for (Computed const& computed : unwritten_) {
                if (computed.shard->source != source)
                    continue;
                std::uint64_t const count = size_of(*computed.shard);
                auto const begin = computed.values.begin() + static_cast<std::ptrdiff_t>(before * count);
                values.insert(values.end(), begin,
                              begin + static_cast<std::ptrdiff_t>(sources_[source].width(c) * count));
            }
            before += sources_[source].width(c);
            file_.write<float>(sources_[source].columns[c], ranges, values);
            fault_point("shard");
        }
    }

    // Collective. Clocks differ, so root decides
    bool time_to_commit() const {
        std::chrono::duration<double> const since = Clock::now() - committed_;
        return comm::broadcast(comm_, static_cast<std::int64_t>(since.count() >= commit_seconds_)) != 0;
    }

    void commit() {
        write();
        file_.commit(uncommitted_);
        uncommitted_.clear();
        committed_ = Clock::now();
    }

    comm::Communicator const& comm_;
    store::ResultFile& file_;
    std::span<Source const> sources_;
    ShardPlan const& plan_;
    std::vector<std::uint64_t> missing_; // numbers
    double commit_seconds_;
    std::vector<Computed> unwritten_;         // this rank's
    std::set<std::size_t> unwritten_sources_; // all ranks'
    std::uint64_t unwritten_bytes_ = 0;       // all ranks'
    std::vector<std::uint64_t> uncommitted_;
    Clock::time_point committed_ = Clock::now();
};

} // namespace

std::uint64_t Source::row_values() const {
    return widths.empty() ? columns.size() : std::accumulate(widths.begin(), widths.end(), std::uint64_t{0});
}

ShardPlan::ShardPlan(std::span<Source const> sources, std::uint64_t shard_size)
    : first_{0}, shard_size_(shard_size) {
    for (Source const& source : sources) {
        sizes_.push_back(source.size);
        first_.push_back(first_.back() + (source.size + shard_size - 1) / shard_size);
    }
}

Shard ShardPlan::operator[](std::uint64_t number) const {
    auto const source =
        static_cast<std::size_t>(std::upper_bound(first_.begin(), first_.end(), number) - first_.begin()) - 1;
    std::uint64_t const begin = (number - first_[source]) * shard_size_;
    return {number, source, begin, std::min(begin + shard_size_, sizes_[source])};
}

PassSummary run_pass(comm::Communicator const& comm, store::ResultFile& file, std::span<Source const> sources,
                     PassOptions const& options) {
    ShardPlan const plan(sources, options.shard_size);
    comm::agree(comm, [&] {
        if (file.shards_done().size() != plan.size())
            fail(Exit::data,
                 "the results file to go on with has {} shards in its ledger, the job {}. Start again with "
                 "--overwrite",
                 file.shards_done().size(), plan.size());
    });
    verify(comm, file, sources, plan);
    std::vector<std::uint64_t> missing;
    std::uint64_t total = 0, already = 0;
    for (std::uint64_t number = 0; number < plan.size(); ++number) {
        std::uint64_t const samples = size_of(plan[number]);
        total += samples;
        if (file.shards_done()[number])
            already += samples;
        else
            missing.push_back(number);
    }
    PassSummary const summary{plan.size(), plan.size() - missing.size(), missing.size()};
    if (summary.resumed > 0)
        spdlog::info("resuming: {} of {} shards are on disk and intact, {} to compute", summary.resumed,
                     summary.shards, summary.computed);
    Progress progress("samples", total, already, !comm.is_root());
    Loop(comm, file, sources, plan, std::move(missing), options.commit_seconds).run(progress, already);
    return summary;
}

} // namespace assay::pass
