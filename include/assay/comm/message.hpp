//! Structured messages between ranks of one run (Boost.Serialization, binary): never written to files.
#pragma once

#include "assay/base/error.hpp"
#include "assay/comm/collectives.hpp"

#include <boost/archive/binary_iarchive.hpp>
#include <boost/archive/binary_oarchive.hpp>
#include <boost/serialization/string.hpp>
#include <boost/serialization/vector.hpp>

#include <sstream>

namespace assay::comm {

//! Collective. Root's value replaces everyone's. T has a Boost.Serialization `serialize`.
template <class T>
void broadcast_object(Communicator const& comm, T& value) {
    std::stringstream stream;
    if (comm.is_root())
        boost::archive::binary_oarchive(stream) << value;
    std::string const bytes = broadcast(comm, stream.str());
    if (comm.is_root())
        return;
    stream.str(bytes);
    boost::archive::binary_iarchive(stream) >> value;
}

//! Collective. Everyone's values, in rank order, on every rank.
template <class T>
std::vector<T> all_gather_objects(Communicator const& comm, T const& mine) {
    std::ostringstream out;
    boost::archive::binary_oarchive(out) << mine;
    std::vector<char> const bytes = all_gather<char>(comm, out.str());
    std::istringstream in(std::string(bytes.begin(), bytes.end()));
    std::vector<T> all(static_cast<std::size_t>(comm.size()));
    for (T& value : all)
        boost::archive::binary_iarchive(in) >> value;
    return all;
}

} // namespace assay::comm
