#include "assay/comm/ordered_sum.hpp"

#include "assay/base/error.hpp"

#include <limits>

namespace assay::comm {

namespace {

// Segment s of a vector of `length` cut into `ranks` nearly equal pieces
struct Segments {
    std::size_t length, ranks;
    std::size_t begin(std::size_t s) const { return length * s / ranks; }
    std::size_t size(std::size_t s) const { return begin(s + 1) - begin(s); }
};

std::size_t parts_of(std::size_t rank, std::size_t ranks, std::size_t parts) {
    return parts / ranks + (rank < parts % ranks ? 1 : 0);
}

template <class T>
std::vector<T> sum_in_order(Communicator const& comm, std::span<T const> mine, std::size_t parts,
                            std::size_t length, MPI_Datatype type) {
    auto const ranks = static_cast<std::size_t>(comm.size());
    auto const rank = static_cast<std::size_t>(comm.rank());
    Segments const segments{length, ranks};
    if (parts * length > static_cast<std::size_t>(std::numeric_limits<int>::max()))
        fail(Exit::internal,
             "ordered sum of {} parts of {} values (more than MPI's int counts). Use fewer parts", parts,
             length);

    // Send every owner its segment of each of my parts; receive my segment of everyone's
    std::size_t const my_parts = parts_of(rank, ranks, parts);
    std::size_t const my_size = segments.size(rank);
    std::vector<int> send_counts(ranks), send_starts(ranks), receive_counts(ranks), receive_starts(ranks);
    std::vector<T> outgoing;
    outgoing.reserve(mine.size());
    for (std::size_t s = 0, received = 0; s < ranks; ++s) {
        send_starts[s] = static_cast<int>(outgoing.size());
        for (std::size_t p = 0; p < my_parts; ++p) {
            auto const segment = mine.subspan(p * length + segments.begin(s), segments.size(s));
            outgoing.insert(outgoing.end(), segment.begin(), segment.end());
        }
        send_counts[s] = static_cast<int>(outgoing.size()) - send_starts[s];
        receive_starts[s] = static_cast<int>(received);
        receive_counts[s] = static_cast<int>(parts_of(s, ranks, parts) * my_size);
        received += parts_of(s, ranks, parts) * my_size;
    }
    std::vector<T> incoming(parts * my_size);
    if (comm.is_serial())
        incoming = outgoing;
    else
        check_mpi(MPI_Alltoallv(outgoing.data(), send_counts.data(), send_starts.data(), type,
                                incoming.data(), receive_counts.data(), receive_starts.data(), type,
                                comm.mpi()),
                  "MPI_Alltoallv");

    std::vector<T> segment(my_size, T{0});
    for (std::size_t part = 0; part < parts; ++part) {
        auto const from = static_cast<std::size_t>(owner_of_part(part, comm));
        T const* values = incoming.data() + receive_starts[from] + part / ranks * my_size;
        for (std::size_t i = 0; i < my_size; ++i)
            segment[i] += values[i];
    }
    if (comm.is_serial())
        return segment;

    std::vector<T> total(length);
    for (std::size_t s = 0; s < ranks; ++s) {
        receive_counts[s] = static_cast<int>(segments.size(s));
        receive_starts[s] = static_cast<int>(segments.begin(s));
    }
    check_mpi(MPI_Allgatherv(segment.data(), static_cast<int>(my_size), type, total.data(),
                             receive_counts.data(), receive_starts.data(), type, comm.mpi()),
              "MPI_Allgatherv");
    return total;
}

} // namespace

std::vector<float> ordered_sum(Communicator const& comm, std::span<float const> mine, std::size_t parts,
                               std::size_t length) {
    return sum_in_order(comm, mine, parts, length, MPI_FLOAT);
}

std::vector<double> ordered_sum(Communicator const& comm, std::span<double const> mine, std::size_t parts,
                                std::size_t length) {
    return sum_in_order(comm, mine, parts, length, MPI_DOUBLE);
}

} // namespace assay::comm
