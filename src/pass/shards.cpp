#include "assay/pass/shards.hpp"

#include "assay/base/error.hpp"
#include "assay/base/log.hpp"
#include "assay/base/signals.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"

#include <algorithm>

#include <zlib.h>

namespace assay::pass {

namespace {

// Collective. Forgets shards whose flag is set but whose data does not match
void forget_broken(comm::Communicator const& comm, store::ResultFile& file, ShardPlan const& plan,
                   std::vector<std::string> const& columns,
                   std::function<std::uint64_t(Shard const&)> const& checksum) {
    std::vector<std::uint64_t> broken;
    comm::agree(comm, [&] {
        if (plan.size() == 0)
            return;
        for (std::string const& column :
             columns) // a column's first use is collective: all ranks, in one order
            file.read(column, 0, 0);
        file.checksum(0);
        auto const ranks = static_cast<std::uint64_t>(comm.size());
        for (auto number = static_cast<std::uint64_t>(comm.rank()); number < plan.size(); number += ranks)
            if (file.shards_done()[number] && checksum(plan[number]) != file.checksum(number))
                broken.push_back(number);
    });
    for (std::uint64_t number : broken)
        spdlog::warn("shard {} does not match its checksum and is computed again ({} from number {} on)",
                     number, plan.name_of(plan[number]), plan[number].begin);
    file.forget(broken);
}

} // namespace

ShardPlan::ShardPlan(std::vector<Sequence> sequences, std::uint64_t shard_size)
    : sequences_(std::move(sequences)), first_{0}, shard_size_(shard_size) {
    for (Sequence const& sequence : sequences_)
        first_.push_back(first_.back() + (sequence.size + shard_size - 1) / shard_size);
}

Shard ShardPlan::operator[](std::uint64_t number) const {
    auto const source =
        static_cast<std::size_t>(std::upper_bound(first_.begin(), first_.end(), number) - first_.begin()) - 1;
    std::uint64_t const begin = (number - first_[source]) * shard_size_;
    return {number, source, begin, std::min(begin + shard_size_, sequences_[source].size)};
}

Remaining find_remaining(comm::Communicator const& comm, store::ResultFile& file, ShardPlan const& plan,
                         std::vector<std::string> const& columns,
                         std::function<std::uint64_t(Shard const&)> const& checksum) {
    comm::agree(comm, [&] {
        if (file.shards_done().size() != plan.size())
            fail(Exit::data,
                 "the results file to go on with has {} shards in its ledger, the job {}. Start again with "
                 "--overwrite",
                 file.shards_done().size(), plan.size());
    });
    forget_broken(comm, file, plan, columns, checksum);
    Remaining remaining;
    for (std::uint64_t number = 0; number < plan.size(); ++number) {
        std::uint64_t const samples = plan[number].size();
        remaining.samples += samples;
        if (file.shards_done()[number])
            remaining.done += samples;
        else
            remaining.missing.push_back(number);
    }
    std::uint64_t const left = remaining.missing.size();
    remaining.summary = {plan.size(), plan.size() - left, left};
    if (remaining.summary.resumed > 0)
        spdlog::info("resuming: {} of {} shards are on disk and intact, {} to compute",
                     remaining.summary.resumed, plan.size(), left);
    return remaining;
}

std::uint64_t checksum_of(std::span<std::byte const> bytes, std::uint64_t before) {
    return crc32_z(before, reinterpret_cast<unsigned char const*>(bytes.data()), bytes.size());
}

bool CommitClock::due(comm::Communicator const& comm) const {
    std::chrono::duration<double> const since = Clock::now() - start_;
    return comm::broadcast(comm, static_cast<std::int64_t>(since.count() >= seconds_)) != 0;
}

bool anyone_asked_to_stop(comm::Communicator const& comm) {
    return comm::all_max(comm, stop_requested()) > 0;
}

void throw_stopped() {
    throw comm::AgreedError(Exit::stopped,
                            "stopped on a signal, finished shards saved. Run again with --resume");
}

} // namespace assay::pass
