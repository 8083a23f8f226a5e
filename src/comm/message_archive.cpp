#include "assay/comm/message_archive.hpp"

#include "assay/base/error.hpp"
#include "assay/base/sha256.hpp"

#include <sstream>

namespace assay::comm {

namespace {
constexpr std::size_t kDigestSize = 64; // SHA-256 in hexadecimal
} // namespace

void MessageReader::require_bytes(std::size_t wanted) {
    if (wanted > static_cast<std::size_t>(m_sb.in_avail()))
        throw boost::archive::archive_exception(boost::archive::archive_exception::input_stream_error);
}

std::string seal(std::string const& bytes) {
    return sha256(bytes) + bytes;
}

std::string unseal(std::string const& sealed) {
    if (sealed.size() < kDigestSize || sha256(sealed.substr(kDigestSize)) != sealed.substr(0, kDigestSize))
        fail(Exit::internal, "a message of {} bytes arrived damaged (its SHA-256 differs). Run again",
             sealed.size());
    return sealed.substr(kDigestSize);
}

void read_message(std::string const& bytes, std::function<void(MessageReader&)> const& read) {
    std::istringstream stream(bytes);
    try {
        MessageReader reader(stream);
        read(reader);
    } catch (boost::archive::archive_exception const& error) {
        fail(Exit::internal, "a message of {} bytes cannot be decoded ({}). This is a bug in assay",
             bytes.size(), error.what());
    }
    if (stream.rdbuf()->in_avail() > 0)
        fail(Exit::internal, "a message of {} bytes has {} too many. This is a bug in assay", bytes.size(),
             stream.rdbuf()->in_avail());
}

} // namespace assay::comm
