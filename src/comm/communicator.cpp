#include "assay/comm/communicator.hpp"

#include "assay/base/error.hpp"

#include <exception>
#include <string>

namespace assay::comm {

namespace {

void free_comm(MPI_Comm* comm) {
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (!finalized && std::uncaught_exceptions() == 0) // freeing is collective: see MpiScope
        MPI_Comm_free(comm);
    delete comm;
}

} // namespace

Communicator::Communicator(MPI_Comm parent) : comm_(new MPI_Comm(MPI_COMM_NULL), free_comm) {
    check_mpi(MPI_Comm_dup(parent, comm_.get()), "MPI_Comm_dup");
    check_mpi(MPI_Comm_set_errhandler(*comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    check_mpi(MPI_Comm_rank(*comm_, &rank_), "MPI_Comm_rank");
    check_mpi(MPI_Comm_size(*comm_, &size_), "MPI_Comm_size");
}

Communicator Communicator::dry_run(int rank, int size) {
    Communicator comm;
    comm.rank_ = rank;
    comm.size_ = size;
    comm.traffic_ = std::make_shared<Traffic>();
    return comm;
}

void Communicator::count(std::uint64_t bytes) const {
    if (!traffic_)
        return;
    ++traffic_->calls;
    traffic_->bytes += bytes;
}

void Communicator::barrier() const {
    count(0);
    if (comm_)
        check_mpi(MPI_Barrier(*comm_), "MPI_Barrier");
}

void check_mpi(int code, char const* call) {
    if (code == MPI_SUCCESS)
        return;
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    MPI_Error_string(code, text, &length);
    fail(Exit::internal, "{} failed ({}). Look at the log of the other ranks", call,
         std::string(text, static_cast<std::size_t>(length)));
}

MpiScope::MpiScope(int& argc, char**& argv) : unwinding_(std::uncaught_exceptions()) {
    int provided = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
}

MpiScope::~MpiScope() {
    if (std::uncaught_exceptions() == unwinding_)
        MPI_Finalize();
}

} // namespace assay::comm
