#include "assay/comm/collectives.hpp"

#include "assay/base/error.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace assay::comm {

namespace {

std::int64_t all_reduce(Communicator const& comm, std::int64_t value, MPI_Op operation) {
    comm.count(sizeof value);
    if (!comm.is_serial())
        check_mpi(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, operation, comm.mpi()),
                  "MPI_Allreduce");
    return value;
}

// Starts of pieces of these sizes, back to back; Error(internal) if MPI's int counts cannot reach the end
std::vector<int> starts_of(std::vector<int> const& counts) {
    std::vector<int> starts(counts.size(), 0);
    std::int64_t total = 0;
    for (std::size_t r = 0; r < counts.size(); ++r) {
        starts[r] = static_cast<int>(total);
        total += counts[r];
        if (total > std::numeric_limits<int>::max())
            fail(Exit::internal, "a message of more than {} items (more than MPI can count). Use more ranks",
                 std::numeric_limits<int>::max());
    }
    return starts;
}

} // namespace

void broadcast_bytes(Communicator const& comm, void* bytes, std::size_t size, int from) {
    comm.count(size);
    if (comm.is_serial())
        return;
    constexpr std::size_t kPiece = std::size_t{1} << 30; // MPI counts are int
    for (std::size_t done = 0; done < size; done += kPiece)
        check_mpi(MPI_Bcast(static_cast<char*>(bytes) + done, static_cast<int>(std::min(kPiece, size - done)),
                            MPI_BYTE, from, comm.mpi()),
                  "MPI_Bcast");
}

BackgroundBroadcast::BackgroundBroadcast(Communicator const& comm, std::span<float> values, int from) {
    comm.count(values.size_bytes());
    if (comm.is_serial())
        return;
    if (values.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
        fail(Exit::usage, "a message of {} values (more than MPI can count). Use smaller blocks",
             values.size());
    check_mpi(
        MPI_Ibcast(values.data(), static_cast<int>(values.size()), MPI_FLOAT, from, comm.mpi(), &request_),
        "MPI_Ibcast");
}

BackgroundBroadcast& BackgroundBroadcast::operator=(BackgroundBroadcast&& other) noexcept {
    std::swap(request_, other.request_);
    return *this;
}

BackgroundBroadcast::~BackgroundBroadcast() {
    if (request_ != MPI_REQUEST_NULL)
        MPI_Wait(&request_, MPI_STATUS_IGNORE);
}

void BackgroundBroadcast::progress() {
    int finished = 0;
    if (request_ != MPI_REQUEST_NULL)
        check_mpi(MPI_Test(&request_, &finished, MPI_STATUS_IGNORE), "MPI_Test");
}

void BackgroundBroadcast::wait() {
    if (request_ != MPI_REQUEST_NULL)
        check_mpi(MPI_Wait(&request_, MPI_STATUS_IGNORE), "MPI_Wait");
}

std::int64_t broadcast(Communicator const& comm, std::int64_t value) {
    broadcast_bytes(comm, &value, sizeof value);
    return value;
}

std::string broadcast(Communicator const& comm, std::string value) {
    value.resize(static_cast<std::size_t>(broadcast(comm, static_cast<std::int64_t>(value.size()))));
    broadcast_bytes(comm, value.data(), value.size());
    return value;
}

std::int64_t all_sum(Communicator const& comm, std::int64_t value) {
    return all_reduce(comm, value, MPI_SUM);
}

std::vector<std::int64_t> all_sum(Communicator const& comm, std::vector<std::int64_t> values) {
    comm.count(values.size() * sizeof(std::int64_t));
    if (!comm.is_serial())
        check_mpi(MPI_Allreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), MPI_INT64_T,
                                MPI_SUM, comm.mpi()),
                  "MPI_Allreduce");
    return values;
}

std::int64_t all_min(Communicator const& comm, std::int64_t value) {
    return all_reduce(comm, value, MPI_MIN);
}

std::int64_t all_max(Communicator const& comm, std::int64_t value) {
    return all_reduce(comm, value, MPI_MAX);
}

std::vector<std::byte> all_gather_bytes(Communicator const& comm, std::span<std::byte const> mine) {
    auto const ranks = static_cast<std::uint64_t>(comm.size());
    comm.count(ranks * sizeof(std::int64_t) + ranks * mine.size()); // in a dry run: others send as much
    if (comm.is_serial())
        return {mine.begin(), mine.end()};
    std::int64_t const my_size = static_cast<std::int64_t>(mine.size());
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(comm.size()));
    check_mpi(MPI_Allgather(&my_size, 1, MPI_INT64_T, sizes.data(), 1, MPI_INT64_T, comm.mpi()),
              "MPI_Allgather");
    std::vector<int> const counts(sizes.begin(), sizes.end());
    std::vector<int> const starts = starts_of(counts);
    std::vector<std::byte> all(static_cast<std::size_t>(starts.back() + counts.back()));
    check_mpi(MPI_Allgatherv(mine.data(), static_cast<int>(my_size), MPI_BYTE, all.data(), counts.data(),
                             starts.data(), MPI_BYTE, comm.mpi()),
              "MPI_Allgatherv");
    return all;
}

std::vector<float> gather(Communicator const& comm, std::span<float const> mine) {
    comm.count(comm.is_root() ? mine.size_bytes() * static_cast<std::uint64_t>(comm.size()) : 0);
    if (comm.is_serial())
        return {mine.begin(), mine.end()};
    std::vector<std::int64_t> const sizes =
        all_gather<std::int64_t>(comm, std::array{static_cast<std::int64_t>(mine.size())});
    std::vector<int> const counts(sizes.begin(), sizes.end());
    std::vector<int> const starts = starts_of(counts);
    std::vector<float> all(comm.is_root() ? static_cast<std::size_t>(starts.back() + counts.back()) : 0);
    check_mpi(MPI_Gatherv(mine.data(), static_cast<int>(mine.size()), MPI_FLOAT, all.data(), counts.data(),
                          starts.data(), MPI_FLOAT, 0, comm.mpi()),
              "MPI_Gatherv");
    return all;
}

std::vector<std::uint64_t> all_to_all(Communicator const& comm,
                                      std::vector<std::vector<std::uint64_t>> const& outgoing) {
    std::vector<std::uint64_t> flat;
    std::vector<int> send_counts, receive_counts(outgoing.size());
    for (std::vector<std::uint64_t> const& piece : outgoing) {
        flat.insert(flat.end(), piece.begin(), piece.end());
        send_counts.push_back(static_cast<int>(piece.size()));
    }
    comm.count((flat.size() + outgoing.size()) * sizeof(std::uint64_t)); // in a dry run: received as sent
    if (comm.is_serial())
        return flat;
    check_mpi(MPI_Alltoall(send_counts.data(), 1, MPI_INT, receive_counts.data(), 1, MPI_INT, comm.mpi()),
              "MPI_Alltoall");
    std::vector<int> const send_starts = starts_of(send_counts), receive_starts = starts_of(receive_counts);
    std::vector<std::uint64_t> received(
        static_cast<std::size_t>(receive_starts.back() + receive_counts.back()));
    check_mpi(MPI_Alltoallv(flat.data(), send_counts.data(), send_starts.data(), MPI_UINT64_T,
                            received.data(), receive_counts.data(), receive_starts.data(), MPI_UINT64_T,
                            comm.mpi()),
              "MPI_Alltoallv");
    return received;
}

} // namespace assay::comm
