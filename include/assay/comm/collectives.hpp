//! Collectives on arrays of plain numbers. Every function here is collective: all ranks call it, in the same
//! order. With a serial communicator each is the identity.
#pragma once

#include "assay/comm/communicator.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace assay::comm {

//! Bytes of rank `from` overwrite everyone's; all ranks pass the same size. Larger than 2 GiB is sent in
//! pieces.
void broadcast_bytes(Communicator const& comm, void* bytes, std::size_t size, int from = 0);
//! Root's string on every rank.
std::string broadcast(Communicator const& comm, std::string value);
//! Root's number on every rank.
std::int64_t broadcast(Communicator const& comm, std::int64_t value);

//! A broadcast of floats that goes on while its ranks compute. Construction is collective; the rest is local.
class BackgroundBroadcast {
  public:
    //! None.
    BackgroundBroadcast() = default;
    //! Values of rank `from` will overwrite everyone's; they stay where they are until wait().
    BackgroundBroadcast(Communicator const& comm, std::span<float> values, int from);
    BackgroundBroadcast(BackgroundBroadcast&& other) noexcept
        : request_(std::exchange(other.request_, MPI_REQUEST_NULL)) {}
    BackgroundBroadcast& operator=(BackgroundBroadcast&& other) noexcept;
    //! Waits: every rank has begun the broadcast, so it ends.
    ~BackgroundBroadcast();
    //! Lets it get on: MPI moves nothing unless it is called.
    void progress();
    void wait();

  private:
    MPI_Request request_ = MPI_REQUEST_NULL;
};

std::int64_t all_sum(Communicator const& comm, std::int64_t value);
//! Sums of counts, place by place; all ranks pass as many (below 2^31).
std::vector<std::int64_t> all_sum(Communicator const& comm, std::vector<std::int64_t> values);
std::int64_t all_min(Communicator const& comm, std::int64_t value);
std::int64_t all_max(Communicator const& comm, std::int64_t value);

//! Everyone's bytes, concatenated in rank order, on every rank; lengths may differ.
std::vector<std::byte> all_gather_bytes(Communicator const& comm, std::span<std::byte const> mine);

//! Everyone's values, concatenated in rank order, on every rank; lengths may differ.
template <class T>
std::vector<T> all_gather(Communicator const& comm, std::span<T const> mine) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::vector<std::byte> const bytes = all_gather_bytes(comm, std::as_bytes(mine));
    std::vector<T> all(bytes.size() / sizeof(T));
    std::copy_n(bytes.data(), bytes.size(), reinterpret_cast<std::byte*>(all.data()));
    return all;
}

//! Everyone's floats, concatenated in rank order, on root; empty elsewhere. Below 2^31 of them.
std::vector<float> gather(Communicator const& comm, std::span<float const> mine);

//! `outgoing[r]` goes to rank r; returns what all ranks sent here, in rank order. Below 2^31 bytes each way.
std::vector<std::uint64_t> all_to_all(Communicator const& comm,
                                      std::vector<std::vector<std::uint64_t>> const& outgoing);

} // namespace assay::comm
