#include "assay/comm/agree.hpp"

#include "assay/comm/collectives.hpp"

#include <string>

namespace assay::comm {

void throw_together(Communicator const& comm, std::optional<Error> const& problem) {
    std::int64_t const first = all_min(comm, problem ? comm.rank() : comm.size());
    if (first == comm.size())
        return;
    // Only the first failing rank contributes, so gathering from all is a broadcast from whichever rank it is
    bool const speaks = comm.rank() == first;
    auto const code = all_max(comm, speaks ? static_cast<std::int64_t>(problem->code()) : 0);
    std::string const words = speaks ? std::string(problem->what()) : std::string();
    std::vector<char> const text = all_gather<char>(comm, words);
    throw AgreedError(static_cast<Exit>(code), std::string(text.begin(), text.end()));
}

} // namespace assay::comm
