#include "valuation/query_stream.hpp"

#include "assay/comm/agree.hpp"

namespace assay::valuation {

void broadcast_from(comm::Communicator const& comm, int from, std::vector<std::int64_t>& values) {
    comm.count(values.size() * sizeof(std::int64_t));
    if (!comm.is_serial())
        comm::check_mpi(
            MPI_Bcast(values.data(), static_cast<int>(values.size()), MPI_INT64_T, from, comm.mpi()),
            "MPI_Bcast");
}

QueryStream::QueryStream(comm::Communicator const& comm, FeatureMatrix const& queries,
                         std::vector<pass::Shard> const& blocks)
    : comm_(comm), queries_(queries), blocks_(blocks) {
    send();
}

QueryStream::~QueryStream() {
    if (request_ != MPI_REQUEST_NULL)
        MPI_Wait(&request_, MPI_STATUS_IGNORE);
}

void QueryStream::send() {
    if (sent_ == blocks_.size())
        return;
    pass::Shard const& block = blocks_[sent_];
    auto const reader = static_cast<int>(sent_ % static_cast<std::size_t>(comm_.size()));
    on_its_way_ = {queries_.name, block.begin, std::vector<float>(block.size() * queries_.width)};
    comm::agree(comm_, [&] {
        if (comm_.rank() == reader)
            queries_.read(block.begin, block.size(), on_its_way_.values);
    });
    comm_.count(on_its_way_.values.size() * sizeof(float));
    if (!comm_.is_serial())
        comm::check_mpi(MPI_Ibcast(on_its_way_.values.data(), static_cast<int>(on_its_way_.values.size()),
                                   MPI_FLOAT, reader, comm_.mpi(), &request_),
                        "MPI_Ibcast");
    ++sent_;
}

QueryBlock QueryStream::next() {
    wait();
    QueryBlock block = std::move(on_its_way_);
    send();
    return block;
}

void QueryStream::keep_moving() {
    int done = 0;
    if (request_ != MPI_REQUEST_NULL)
        comm::check_mpi(MPI_Test(&request_, &done, MPI_STATUS_IGNORE), "MPI_Test");
}

void QueryStream::wait() {
    if (request_ != MPI_REQUEST_NULL)
        comm::check_mpi(MPI_Wait(&request_, MPI_STATUS_IGNORE), "MPI_Wait");
}

} // namespace assay::valuation
