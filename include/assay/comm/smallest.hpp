//! Reductions of sorted lists: each rank holds, for every one of n things, its k smallest values; together
//! they find the k smallest of all. Every function here is collective. With a serial communicator each is the
//! identity.
#pragma once

#include "assay/comm/communicator.hpp"

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

namespace assay::comm {

namespace detail {

// MPI_User_function: element = one list of k values of T, ascending; keeps the k smallest of two lists
template <class T>
void merge_lists(void* in, void* inout, int* lists, MPI_Datatype* type) {
    int bytes = 0;
    MPI_Type_size(*type, &bytes);
    std::size_t const k = static_cast<std::size_t>(bytes) / sizeof(T);
    std::vector<T> merged(k);
    for (std::size_t list = 0; list < static_cast<std::size_t>(*lists); ++list) {
        T const* a = static_cast<T const*>(in) + list * k;
        T const* b = static_cast<T const*>(inout) + list * k;
        for (T& value : merged)
            value = *b < *a ? *b++ : *a++;
        std::copy(merged.begin(), merged.end(), static_cast<T*>(inout) + list * k);
    }
}

// Calls reduce(datatype of one list, operation)
template <class T, class Reduce>
void with_merge(std::size_t k, Reduce reduce) {
    static_assert(std::is_trivially_copyable_v<T>);
    MPI_Datatype type = MPI_DATATYPE_NULL;
    MPI_Op merge = MPI_OP_NULL;
    check_mpi(MPI_Type_contiguous(static_cast<int>(k * sizeof(T)), MPI_BYTE, &type), "MPI_Type_contiguous");
    check_mpi(MPI_Type_commit(&type), "MPI_Type_commit");
    check_mpi(MPI_Op_create(&merge_lists<T>, /*commute=*/1, &merge), "MPI_Op_create");
    reduce(type, merge);
    check_mpi(MPI_Op_free(&merge), "MPI_Op_free");
    check_mpi(MPI_Type_free(&type), "MPI_Type_free");
}

} // namespace detail

//! `lists` is [n, k], each row ascending by <, which must be a total order where results shall not depend on
//! the ranks; the same n and k on all. On every rank it becomes the k smallest values of all ranks' rows.
template <class T>
void all_smallest(Communicator const& comm, std::vector<T>& lists, std::size_t k) {
    comm.count(lists.size() * sizeof(T));
    if (comm.is_serial())
        return;
    detail::with_merge<T>(k, [&](MPI_Datatype type, MPI_Op merge) {
        check_mpi(MPI_Allreduce(MPI_IN_PLACE, lists.data(), static_cast<int>(lists.size() / k), type, merge,
                                comm.mpi()),
                  "MPI_Allreduce");
    });
}

//! The same on rank `owner` alone; what the others hold afterwards is undefined.
template <class T>
void smallest_at(Communicator const& comm, int owner, std::vector<T>& lists, std::size_t k) {
    comm.count(comm.rank() == owner ? lists.size() * sizeof(T) : 0);
    if (comm.is_serial())
        return;
    bool const mine = comm.rank() == owner;
    detail::with_merge<T>(k, [&](MPI_Datatype type, MPI_Op merge) {
        check_mpi(MPI_Reduce(mine ? MPI_IN_PLACE : lists.data(), mine ? lists.data() : nullptr,
                             static_cast<int>(lists.size() / k), type, merge, owner, comm.mpi()),
                  "MPI_Reduce");
    });
}

} // namespace assay::comm
