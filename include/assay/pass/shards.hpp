//! Shards, and what every loop over them does with the ledger: find what is left to do, commit by time, stop
//! on a signal.
#pragma once

#include "assay/comm/communicator.hpp"
#include "assay/store/result_file.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace assay::pass {

struct Source;

//! A sequence of samples that is cut into shards.
struct Sequence {
    std::string name; //!< for messages
    std::uint64_t size = 0;
};

//! Samples [begin, end) of one sequence. Numbered through all sequences: the numbers mean the same on any
//! number of ranks.
struct Shard {
    std::uint64_t number = 0;
    std::size_t source = 0; //!< which sequence
    std::uint64_t begin = 0, end = 0;
    std::uint64_t size() const { return end - begin; }
};

//! The shards of all sequences, cut every `shard_size` samples; counted, not stored. Local.
class ShardPlan {
  public:
    ShardPlan(std::vector<Sequence> sequences, std::uint64_t shard_size);
    //! Of what a pass reads (pass.hpp).
    ShardPlan(std::span<Source const> sources, std::uint64_t shard_size);

    std::uint64_t size() const { return first_.back(); }
    Shard operator[](std::uint64_t number) const;
    std::string const& name_of(Shard const& shard) const { return sequences_[shard.source].name; }

  private:
    std::vector<Sequence> sequences_;
    std::vector<std::uint64_t> first_; // number of each sequence's first shard; last, of all shards
    std::uint64_t shard_size_;
};

struct PassSummary {
    std::uint64_t shards = 0;   //!< of the plan
    std::uint64_t resumed = 0;  //!< found finished and intact
    std::uint64_t computed = 0; //!< by this run, all ranks together
};

//! What a file does not hold yet.
struct Remaining {
    std::vector<std::uint64_t> missing;  //!< shard numbers, ascending
    std::uint64_t samples = 0, done = 0; //!< of the plan; of those, on disk and intact
    PassSummary summary;                 //!< what a run that finishes will have done
};

//! Collective. Which shards of the plan are not in `file`, the same on all ranks. Ranks in turn compare what
//! is marked done with its checksum; what does not match is forgotten. `checksum` is local: of a shard's data
//! in the file, whose `columns` are open by then.
Remaining find_remaining(comm::Communicator const& comm, store::ResultFile& file, ShardPlan const& plan,
                         std::vector<std::string> const& columns,
                         std::function<std::uint64_t(Shard const&)> const& checksum);

//! Local. CRC-32 of an array of numbers, going on from that of what comes before it.
std::uint64_t checksum_of(std::span<std::byte const> bytes, std::uint64_t before = 0);

//! When to commit: clocks differ, so root's decides.
class CommitClock {
  public:
    explicit CommitClock(double seconds) : seconds_(seconds) {}
    //! Collective. Has so much time gone by since the last restart()?
    bool due(comm::Communicator const& comm) const;
    void restart() { start_ = Clock::now(); }

  private:
    using Clock = std::chrono::steady_clock;
    double seconds_;
    Clock::time_point start_ = Clock::now();
};

//! Collective. Has any rank been asked to stop?
bool anyone_asked_to_stop(comm::Communicator const& comm);
//! After the commit that a stop request led to: throws AgreedError(stopped) on every rank that calls it.
[[noreturn]] void throw_stopped();

} // namespace assay::pass
