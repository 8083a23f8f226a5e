//! How message.hpp writes and reads: Boost's binary archive without its header, and with the bounds that it
//! lacks. Boost allocates what a length in the bytes asks for before it looks whether so much follows.
#pragma once

#include <boost/archive/binary_iarchive.hpp>
#include <boost/archive/impl/basic_binary_iarchive.ipp>
#include <boost/archive/impl/basic_binary_iprimitive.ipp>
#include <boost/serialization/array_optimization.hpp>

#include <functional>
#include <istream>
#include <string>

namespace assay::comm {

constexpr unsigned kArchiveFlags = boost::archive::no_header | boost::archive::no_codecvt;

//! Refuses, with boost::archive::archive_exception, strings and containers that claim to be longer than the
//! bytes that are left (each element takes one at least).
class MessageReader
    : public boost::archive::binary_iarchive_impl<MessageReader, char, std::char_traits<char>> {
    using Base = boost::archive::binary_iarchive_impl<MessageReader, char, std::char_traits<char>>;

  public:
    explicit MessageReader(std::istream& stream) : Base(stream, kArchiveFlags) {}

    // What Boost calls for each kind of value; the rest is its own
    using Base::load;
    using Base::load_override;
    void load_override(boost::serialization::collection_size_type& count) {
        Base::load_override(count);
        require_bytes(count);
    }
    void load(std::string& text) {
        std::size_t size = 0;
        load(size);
        require_bytes(size);
        text.resize(size);
        load_binary(text.data(), size);
    }

  private:
    void require_bytes(std::size_t wanted);
};

//! Bytes behind their SHA-256.
std::string seal(std::string const& bytes);
//! What was sealed; Error(internal) if the digest does not fit.
std::string unseal(std::string const& sealed);
//! Error(internal) where `read` meets what encode() cannot have written, or leaves bytes over.
void read_message(std::string const& bytes, std::function<void(MessageReader&)> const& read);

} // namespace assay::comm

// As boost's own binary archive: arrays of numbers are one block
BOOST_SERIALIZATION_USE_ARRAY_OPTIMIZATION(assay::comm::MessageReader)
