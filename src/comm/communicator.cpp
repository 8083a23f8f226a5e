#include "assay/comm/communicator.hpp"

#include "assay/base/error.hpp"

#include <chrono>
#include <exception>
#include <string>
#include <thread>

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

Communicator::Communicator(MPI_Comm parent) {
    MPI_Comm copy = MPI_COMM_NULL;
    check_mpi(MPI_Comm_dup(parent, &copy), "MPI_Comm_dup");
    take_over(copy);
}

Communicator Communicator::split(int group) const {
    if (!comm_)
        return *this;
    MPI_Comm part = MPI_COMM_NULL;
    check_mpi(MPI_Comm_split(*comm_, group, rank_, &part), "MPI_Comm_split");
    Communicator result;
    result.take_over(part);
    return result;
}

void Communicator::take_over(MPI_Comm comm) {
    comm_ = std::shared_ptr<MPI_Comm>(new MPI_Comm(comm), free_comm);
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

void Communicator::patient_barrier() const {
    count(0);
    if (!comm_)
        return;
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Ibarrier(*comm_, &request), "MPI_Ibarrier");
    for (int all_here = 0; !all_here;) {
        check_mpi(MPI_Test(&request, &all_here, MPI_STATUS_IGNORE), "MPI_Test");
        if (!all_here)
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
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
