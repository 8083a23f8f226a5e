#include "assay/data/choose.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"

#include <algorithm>

namespace assay::data {

namespace {

constexpr std::uint64_t kPiece = 1 << 18;      // ids read at a time
constexpr std::uint64_t kIdsAtATime = 1 << 25; // ids that meet on one rank in a round
constexpr unsigned kBucketBits = 16;           // of a key: about N/65536 keys then share a bucket

std::uint64_t key_of(std::uint64_t id, std::uint64_t seed) {
    return mix64(mix64(seed) ^ id);
}

// Local. Calls visit(row, id) for the rows of a slice, ascending
template <class Visit>
void for_each_id(Dataset const& dataset, Slice slice, Visit visit) {
    for (std::uint64_t first = slice.begin; first < slice.end; first += kPiece) {
        std::vector<std::uint64_t> const ids = dataset.ids(first, std::min(slice.end, first + kPiece));
        for (std::size_t i = 0; i < ids.size(); ++i)
            visit(first + i, ids[i]);
    }
}

// Collective. The key that stands at `place` of the ascending keys: first its bucket by counting, then the
// few keys of that bucket
std::uint64_t key_at(comm::Communicator const& comm, Dataset const& dataset, Rows const& among,
                     std::uint64_t seed, std::uint64_t place) {
    Slice const mine = my_slice(comm, dataset.info().size);
    std::vector<std::int64_t> const counts =
        comm::all_sum(comm, comm::agree(comm, [&] {
                          std::vector<std::int64_t> own(std::size_t{1} << kBucketBits, 0);
                          for_each_id(dataset, mine, [&](std::uint64_t row, std::uint64_t id) {
                              own[key_of(id, seed) >> (64 - kBucketBits)] += among.contains(row);
                          });
                          return own;
                      }));
    std::uint64_t bucket = 0;
    for (; place >= static_cast<std::uint64_t>(counts[bucket]); ++bucket)
        place -= static_cast<std::uint64_t>(counts[bucket]);
    std::vector<std::uint64_t> const own = comm::agree(comm, [&] {
        std::vector<std::uint64_t> keys;
        for_each_id(dataset, mine, [&](std::uint64_t row, std::uint64_t id) {
            std::uint64_t const key = key_of(id, seed);
            if (key >> (64 - kBucketBits) == bucket && among.contains(row))
                keys.push_back(key);
        });
        return keys;
    });
    std::vector<std::uint64_t> keys = comm::all_gather<std::uint64_t>(comm, own);
    std::ranges::sort(keys);
    return keys.at(place);
}

// Where an id is compared with its equals: in which round, on which rank
struct Meeting {
    std::uint64_t round, rank;
};

Meeting meeting_of(std::uint64_t id, std::uint64_t rounds, std::uint64_t ranks) {
    std::uint64_t const hash = mix64(id);
    return {hash % rounds, hash / rounds % ranks};
}

// Collective. The ids of one round that meet on this rank
std::vector<std::uint64_t> meet(comm::Communicator const& comm, Dataset const& dataset, std::uint64_t round,
                                std::uint64_t rounds) {
    auto const ranks = static_cast<std::uint64_t>(comm.size());
    std::vector<std::vector<std::uint64_t>> const outgoing = comm::agree(comm, [&] {
        std::vector<std::vector<std::uint64_t>> to(ranks);
        for_each_id(dataset, my_slice(comm, dataset.info().size), [&](std::uint64_t, std::uint64_t id) {
            if (Meeting const meeting = meeting_of(id, rounds, ranks); meeting.round == round)
                to[meeting.rank].push_back(id);
        });
        return to;
    });
    return comm::all_to_all(comm, outgoing);
}

// Collective. Error(data) naming the first two rows of an id
[[noreturn]] void refuse_repeated(comm::Communicator const& comm, Dataset const& dataset, std::uint64_t id) {
    std::vector<std::uint64_t> const own = comm::agree(comm, [&] {
        std::vector<std::uint64_t> rows;
        for_each_id(dataset, my_slice(comm, dataset.info().size),
                    [&](std::uint64_t row, std::uint64_t other) {
                        if (other == id)
                            rows.push_back(row);
                    });
        return rows;
    });
    std::vector<std::uint64_t> const rows = comm::all_gather<std::uint64_t>(comm, own);
    throw comm::AgreedError(
        Exit::data,
        fmt::format("{}: /ids has {} at rows {} and {} (ids must be unique). Number the samples anew",
                    dataset.path().string(), id, rows.at(0), rows.at(1)));
}

} // namespace

Slice my_slice(comm::Communicator const& comm, std::uint64_t size) {
    auto const ranks = static_cast<std::uint64_t>(comm.size()),
               rank = static_cast<std::uint64_t>(comm.rank());
    std::uint64_t const words = (size + 63) / 64;
    return {std::min(size, words * rank / ranks * 64), std::min(size, words * (rank + 1) / ranks * 64)};
}

Rows choose_rows(comm::Communicator const& comm, Dataset const& dataset, Rows const& among,
                 std::uint64_t seed, std::uint64_t begin, std::uint64_t end) {
    if (begin == 0 && end == among.size())
        return among;
    if (begin == end)
        return {};
    std::uint64_t const lowest = begin > 0 ? key_at(comm, dataset, among, seed, begin) : 0;
    std::uint64_t const highest = key_at(comm, dataset, among, seed, end - 1);
    Slice const mine = my_slice(comm, dataset.info().size);
    std::vector<std::uint64_t> const own = comm::agree(comm, [&] {
        std::vector<std::uint64_t> words((mine.end - mine.begin + 63) / 64, 0);
        for_each_id(dataset, mine, [&](std::uint64_t row, std::uint64_t id) {
            std::uint64_t const key = key_of(id, seed);
            if (key >= lowest && key <= highest && among.contains(row))
                words[(row - mine.begin) / 64] |= std::uint64_t{1} << (row % 64);
        });
        return words;
    });
    return Rows(comm::all_gather<std::uint64_t>(comm, own));
}

void check_unique_ids(comm::Communicator const& comm, Dataset const& dataset) {
    if (!dataset.has_ids())
        return; // 0, 1, ..., N - 1
    std::uint64_t const at_once = kIdsAtATime * static_cast<std::uint64_t>(comm.size());
    std::uint64_t const rounds = (dataset.info().size + at_once - 1) / at_once;
    std::vector<std::uint64_t> twice;
    for (std::uint64_t round = 0; round < rounds; ++round) {
        std::vector<std::uint64_t> ids = meet(comm, dataset, round, rounds);
        std::ranges::sort(ids);
        if (auto const found = std::ranges::adjacent_find(ids); found != ids.end())
            twice.push_back(*found);
    }
    twice = comm::all_gather<std::uint64_t>(comm, twice);
    if (!twice.empty())
        refuse_repeated(comm, dataset, std::ranges::min(twice));
}

} // namespace assay::data
