// Blocks of queries on their way to all ranks
#pragma once

#include "assay/comm/communicator.hpp"
#include "assay/pass/shards.hpp"
#include "assay/valuation/training_rows.hpp"

#include <vector>

namespace assay::valuation {

// Collective. The values of rank `from` overwrite everyone's; all pass the same size
void broadcast_from(comm::Communicator const& comm, int from, std::vector<std::int64_t>& values);

// Reads each block on one rank, in turn, and sends it to all; the next one travels while the last is worked
// on. MPI moves it when it is called, so keep_moving() must be, now and then
class QueryStream {
  public:
    // Collective: begins with the first block
    QueryStream(comm::Communicator const& comm, FeatureMatrix const& queries,
                std::vector<pass::Shard> const& blocks);
    // Waits for a block that is on its way and that nobody will ask for: all ranks have begun to send it
    ~QueryStream();
    QueryStream(QueryStream const&) = delete;
    QueryStream& operator=(QueryStream const&) = delete;

    // Collective, once for each block. Error(data or io) on all ranks if it could not be read
    QueryBlock next();
    // Local
    void keep_moving();

  private:
    void send();
    void wait();

    comm::Communicator const& comm_;
    FeatureMatrix const& queries_;
    std::vector<pass::Shard> const& blocks_;
    std::size_t sent_ = 0; // blocks
    QueryBlock on_its_way_;
    MPI_Request request_ = MPI_REQUEST_NULL;
};

} // namespace assay::valuation
