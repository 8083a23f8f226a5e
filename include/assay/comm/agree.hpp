//! Agreement on failure: what fails on one rank is thrown on all of them, so that none waits for another for
//! ever.
#pragma once

#include "assay/base/error.hpp"
#include "assay/comm/communicator.hpp"

#include <new>
#include <optional>
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

//! Collective. Runs `work` (local, no collectives inside) and returns its result, or throws on all ranks
//! together if it threw on any. Exceptions that are no assay::Error become internal errors.
template <class Work>
auto agree(Communicator const& comm, Work&& work) {
    using Result = std::invoke_result_t<Work>;
    std::optional<Error> problem;
    [[maybe_unused]] std::conditional_t<std::is_void_v<Result>, int, std::optional<Result>> result{};
    try {
        if constexpr (std::is_void_v<Result>)
            work();
        else
            result.emplace(work());
    } catch (Error const& error) {
        problem = error;
    } catch (std::bad_alloc const&) {
        problem = Error(Exit::internal, "out of memory. Use smaller shards or batches, or more nodes");
    } catch (std::exception const& error) {
        problem = Error(Exit::internal, error.what());
    }
    throw_together(comm, problem);
    if constexpr (!std::is_void_v<Result>)
        return std::move(*result);
}

} // namespace assay::comm
