//! The communicator: a value that algorithms take as an argument; a default one is serial and never calls
//! MPI.
#pragma once

#include <cstdint>
#include <memory>

#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#include <mpi.h>

namespace assay::comm {

//! Collectives that a rank took part in, and the bytes that it received in them.
struct Traffic {
    std::uint64_t calls = 0;
    std::uint64_t bytes = 0;
};

//! A group of ranks with a message space of its own.
class Communicator {
  public:
    //! Serial: rank 0 of 1, no MPI behind it.
    Communicator() = default;
    //! Collective over `parent`, which is duplicated so that our messages cannot meet the caller's.
    explicit Communicator(MPI_Comm parent);
    //! Plays rank `rank` of `size` without the others, for planning and measuring on one machine: every
    //! collective returns at once as if the others had contributed nothing, and is counted in traffic().
    static Communicator dry_run(int rank, int size);

    int rank() const { return rank_; }
    int size() const { return size_; }
    bool is_root() const { return rank_ == 0; }
    //! No MPI behind it: alone, or a dry run.
    bool is_serial() const { return comm_ == nullptr; }
    //! The MPI handle; MPI_COMM_NULL when serial.
    MPI_Comm mpi() const { return comm_ ? *comm_ : MPI_COMM_NULL; }
    //! What a dry run would have exchanged so far.
    Traffic const& traffic() const { return *traffic_; }
    //! For collectives: counts one of `bytes` that this rank receives. Does nothing but in a dry run.
    void count(std::uint64_t bytes) const;
    //! Collective.
    void barrier() const;
    //! Collective. The same for ranks that may wait for hours: sleeps meanwhile, where barrier() keeps a core
    //! busy.
    void patient_barrier() const;
    //! Collective. A communicator of the ranks that pass the same `group` (at least 0), in their order here.
    //! What its ranks do together is no business of the other groups. A serial communicator stays serial.
    Communicator split(int group) const;

  private:
    void take_over(MPI_Comm comm);

    std::shared_ptr<MPI_Comm> comm_;
    std::shared_ptr<Traffic> traffic_; // of a dry run; copies share it
    int rank_ = 0;
    int size_ = 1;
};

//! Throws Error(internal) with MPI's own text if `code` is not MPI_SUCCESS.
void check_mpi(int code, char const* call);

//! MPI from construction to destruction, for main(). While an exception that ranks have not agreed on
//! unwinds, MPI is left open: finalizing then would wait for ranks that never come, and hide the message.
class MpiScope {
  public:
    MpiScope(int& argc, char**& argv);
    ~MpiScope();
    MpiScope(MpiScope const&) = delete;
    MpiScope& operator=(MpiScope const&) = delete;

  private:
    int unwinding_;
};

} // namespace assay::comm
