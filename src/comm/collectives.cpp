#include "assay/comm/collectives.hpp"

#include "assay/base/error.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace assay::comm {

namespace {

std::int64_t all_reduce(Communicator const& comm, std::int64_t value, MPI_Op operation) {
    if (!comm.is_serial())
        check_mpi(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, operation, comm.mpi()),
                  "MPI_Allreduce");
    return value;
}

} // namespace

void broadcast_bytes(Communicator const& comm, void* bytes, std::size_t size) {
    if (comm.is_serial())
        return;
    constexpr std::size_t kPiece = std::size_t{1} << 30; // MPI counts are int
    for (std::size_t done = 0; done < size; done += kPiece)
        check_mpi(MPI_Bcast(static_cast<char*>(bytes) + done, static_cast<int>(std::min(kPiece, size - done)),
                            MPI_BYTE, 0, comm.mpi()),
                  "MPI_Bcast");
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

std::int64_t all_min(Communicator const& comm, std::int64_t value) {
    return all_reduce(comm, value, MPI_MIN);
}

std::int64_t all_max(Communicator const& comm, std::int64_t value) {
    return all_reduce(comm, value, MPI_MAX);
}

std::vector<std::byte> all_gather_bytes(Communicator const& comm, std::span<std::byte const> mine) {
    if (comm.is_serial())
        return {mine.begin(), mine.end()};
    std::int64_t const my_size = static_cast<std::int64_t>(mine.size());
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(comm.size()));
    check_mpi(MPI_Allgather(&my_size, 1, MPI_INT64_T, sizes.data(), 1, MPI_INT64_T, comm.mpi()),
              "MPI_Allgather");
    std::int64_t const total = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
    if (total > std::numeric_limits<int>::max())
        fail(Exit::internal, "all_gather of {} bytes (more than MPI's int counts). Use more, smaller shards",
             total);
    std::vector<int> const counts(sizes.begin(), sizes.end());
    std::vector<int> starts(counts.size(), 0);
    std::exclusive_scan(counts.begin(), counts.end(), starts.begin(), 0);
    std::vector<std::byte> all(static_cast<std::size_t>(total));
    check_mpi(MPI_Allgatherv(mine.data(), static_cast<int>(my_size), MPI_BYTE, all.data(), counts.data(),
                             starts.data(), MPI_BYTE, comm.mpi()),
              "MPI_Allgatherv");
    return all;
}

} // namespace assay::comm
