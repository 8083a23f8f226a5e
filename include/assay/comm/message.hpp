//! Structured messages between ranks of one run (Boost.Serialization, binary): never written to files.
#pragma once

#include "assay/base/error.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/comm/message_archive.hpp"

#include <boost/archive/binary_oarchive.hpp>
#include <boost/serialization/string.hpp>
#include <boost/serialization/vector.hpp>

#include <array>
#include <sstream>

namespace assay::comm {

//! Local. The bytes of a value with their SHA-256 in front. T has a Boost.Serialization `serialize`.
template <class T>
std::string encode(T const& value) {
    std::ostringstream stream;
    boost::archive::binary_oarchive(stream, kArchiveFlags) << value;
    return seal(stream.str());
}

//! Local. The value that encode() was given. Error(internal) for bytes that are not what encode() made, also
//! where their digest fits; memory stays within a small multiple of their number.
template <class T>
T decode(std::string const& sealed) {
    std::string const bytes = unseal(sealed);
    T value;
    read_message(bytes, [&](MessageReader& reader) { reader >> value; });
    return value;
}

//! Collective. Root's value replaces everyone's.
template <class T>
void broadcast_object(Communicator const& comm, T& value) {
    std::string const bytes = broadcast(comm, comm.is_root() ? encode(value) : std::string());
    if (!comm.is_root())
        value = decode<T>(bytes);
}

//! Collective. Everyone's values, in rank order, on every rank.
template <class T>
std::vector<T> all_gather_objects(Communicator const& comm, T const& mine) {
    std::string const sent = encode(mine);
    auto const sizes = all_gather<std::int64_t>(comm, std::array{static_cast<std::int64_t>(sent.size())});
    std::vector<char> const bytes = all_gather<char>(comm, sent);
    std::vector<T> all;
    auto begin = bytes.begin();
    for (std::int64_t const size : sizes) {
        all.push_back(decode<T>(std::string(begin, begin + size)));
        begin += size;
    }
    return all;
}

} // namespace assay::comm
