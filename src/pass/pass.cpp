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
#include <optional>
#include <set>

#include <zlib.h>

namespace assay::pass {

namespace {

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
            std::span<Shard const> shards) {
    std::vector<std::uint64_t> broken;
    comm::agree(comm, [&] {
        for (Source const& source :
             sources) // opening is collective: all ranks open all columns, in one order
            for (std::string const& column : source.columns)
                file.read(column, 0, 0);
        for (Shard const& shard : shards)
            if (file.shards_done()[shard.number] &&
                static_cast<int>(shard.number % static_cast<std::uint64_t>(comm.size())) == comm.rank() &&
                checksum(read_shard(file, sources[shard.source], shard)) != file.checksum(shard.number))
                broken.push_back(shard.number);
    });
    for (std::uint64_t number : broken)
        spdlog::warn("shard {} does not match its checksum and is computed again ({} from number {} on)",
                     number, sources[shards[number].source].name, shards[number].begin);
    file.forget(broken);
}

// The loop over rounds: in round r, rank k takes the missing shard number r x ranks + k
class Loop {
  public:
    Loop(comm::Communicator const& comm, store::ResultFile& file, std::span<Source const> sources,
         std::vector<Shard> missing, double commit_seconds)
        : comm_(comm),
          file_(file),
          sources_(sources),
          missing_(std::move(missing)),
          commit_seconds_(commit_seconds) {}

    void run(Progress& progress, std::uint64_t done) {
        std::optional<Reading> next = read(0);
        for (std::size_t first = 0; first < missing_.size(); first += ranks()) {
            Computed const computed = compute(first, next);
            write(first, computed);
            if (computed.shard)
                uncommitted_.push_back(computed.shard->number);
            for (Shard const& shard : round(first))
                done += shard.end - shard.begin;
            progress.update(done);
            bool const last = first + ranks() >= missing_.size();
            bool const stop = comm::all_max(comm_, stop_requested()) > 0;
            if (last || stop || time_to_commit())
                commit();
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
    std::span<Shard const> round(std::size_t first) const {
        return std::span(missing_).subspan(first, std::min(ranks(), missing_.size() - first));
    }

    // Reads this rank's shard of a round; problems are kept for the next agreement
    std::optional<Reading> read(std::size_t first) const {
        std::size_t const mine = first + static_cast<std::size_t>(comm_.rank());
        if (mine >= missing_.size())
            return std::nullopt;
        Reading reading{missing_[mine], {}, {}};
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

    // Collective. Writes the round's columns; a rank whose shard is of another source takes part with nothing
    void write(std::size_t first, Computed const& computed) {
        std::set<std::size_t> present;
        for (Shard const& shard : round(first))
            present.insert(shard.source);
        for (std::size_t source : present) {
            bool const mine = computed.shard && computed.shard->source == source;
            std::uint64_t const begin = mine ? computed.shard->begin : 0;
            std::size_t const count = mine ? computed.shard->end - begin : 0;
            for (std::size_t c = 0; c < sources_[source].columns.size(); ++c)
                file_.write<float>(sources_[source].columns[c], begin,
                                   count ? std::span(computed.values).subspan(c * count, count)
                                         : std::span<float const>());
            fault_point("shard");
        }
        file_.write_checksum(computed.shard ? computed.shard->number : store::ResultFile::none,
                             checksum(computed.values));
    }

    // Collective. Clocks differ, so root decides
    bool time_to_commit() const {
        std::chrono::duration<double> const since = Clock::now() - committed_;
        return comm::broadcast(comm_, static_cast<std::int64_t>(since.count() >= commit_seconds_)) != 0;
    }

    void commit() {
        file_.commit(uncommitted_);
        uncommitted_.clear();
        committed_ = Clock::now();
    }

    comm::Communicator const& comm_;
    store::ResultFile& file_;
    std::span<Source const> sources_;
    std::vector<Shard> missing_;
    double commit_seconds_;
    std::vector<std::uint64_t> uncommitted_;
    Clock::time_point committed_ = Clock::now();
};

} // namespace

std::vector<Shard> plan_shards(std::span<Source const> sources, std::uint64_t shard_size) {
    std::vector<Shard> shards;
    for (std::size_t s = 0; s < sources.size(); ++s)
        for (std::uint64_t begin = 0; begin < sources[s].size; begin += shard_size)
            shards.push_back({shards.size(), s, begin, std::min(begin + shard_size, sources[s].size)});
    return shards;
}

PassSummary run_pass(comm::Communicator const& comm, store::ResultFile& file, std::span<Source const> sources,
                     PassOptions const& options) {
    std::vector<Shard> const shards = plan_shards(sources, options.shard_size);
    verify(comm, file, sources, shards);
    std::vector<Shard> missing;
    std::uint64_t total = 0, already = 0;
    for (Shard const& shard : shards) {
        total += shard.end - shard.begin;
        if (file.shards_done()[shard.number])
            already += shard.end - shard.begin;
        else
            missing.push_back(shard);
    }
    PassSummary const summary{shards.size(), shards.size() - missing.size(), missing.size()};
    if (summary.resumed > 0)
        spdlog::info("resuming: {} of {} shards are on disk and intact, {} to compute", summary.resumed,
                     summary.shards, summary.computed);
    Progress progress("samples", total, already, !comm.is_root());
    Loop(comm, file, sources, std::move(missing), options.commit_seconds).run(progress, already);
    return summary;
}

} // namespace assay::pass
