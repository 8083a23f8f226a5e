//! Agreement on failure: what fails on one rank is thrown on all of them, so that none waits for another for
//! ever.
#pragma once

#include "assay/base/error.hpp"
#include "assay/comm/communicator.hpp"

#include <new>
#include <optional>
#include <string>
#include <type_traits>

namespace assay::comm {

//! An error that every rank of the communicator throws together: all may close files, finalize MPI and
//! return.
class AgreedError : public Error {
  public:
    using Error::Error;
};

//! Collective. Throws the same AgreedError on all ranks if any passes a problem: that of the lowest such
//! rank.
void throw_together(Communicator const& comm, std::optional<Error> const& problem);

//! Local. Runs `work`; what it throws comes back as an Error to be agreed on later.
template <class Work>
std::optional<Error> attempt(Work&& work) {
    try {
        work();
        return std::nullopt;
    } catch (Error const& error) {
        return error;
    } catch (std::bad_alloc const&) {
        return Error(Exit::internal, "out of memory. Use smaller shards or batches, or more nodes");
    } catch (std::exception const& error) {
        std::string const text = error.what(); // torch's goes on for pages
        return Error(Exit::internal, text.substr(0, text.find('\n')));
    }
}

//! Collective. Runs `work` and returns its result, or throws on all ranks together if it threw on any. `work`
//! is local: no collectives inside, but for HDF5 calls that every rank makes. Exceptions that are no
//! assay::Error become internal errors.
template <class Work>
auto agree(Communicator const& comm, Work&& work) {
    using Result = std::invoke_result_t<Work>;
    if constexpr (std::is_void_v<Result>) {
        throw_together(comm, attempt(work));
    } else {
        std::optional<Result> result;
        throw_together(comm, attempt([&] { result.emplace(work()); }));
        return std::move(*result);
    }
}

} // namespace assay::comm
