// What one rank sends another: [how] [bytes]. Foreign bytes, or a real message with some of its bytes
// changed; as they arrive, or with a digest that fits, so that Boost sees them
#include "fuzz.hpp"

#include "assay/comm/message.hpp"
#include "assay/job/job_file.hpp"

using namespace assay;

namespace {

// Changes of three bytes each: position, difference
std::string changed(std::string message, fuzz::Bytes& bytes) {
    while (!bytes.empty()) {
        std::size_t const at = bytes.value<std::uint16_t>() % message.size();
        message[at] = static_cast<char>(message[at] ^ bytes.byte());
    }
    return message;
}

template <class T>
void try_decode(T const& real, fuzz::Bytes& bytes) {
    unsigned const how = bytes.below(4);
    std::string const sent = comm::unseal(comm::encode(real));
    std::string const foreign = how < 2 ? std::string(bytes.rest()) : changed(sent, bytes);
    T value;
    if (fuzz::succeeds_or_fails_with(
            Exit::internal, [&] { value = comm::decode<T>(how % 2 ? foreign : comm::seal(foreign)); }))
        fuzz::require(comm::encode(comm::decode<T>(comm::encode(value))) == comm::encode(value),
                      "a message changes on the way");
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::Bytes bytes(data, size);
    switch (bytes.below(3)) {
    case 0: {
        job::Job job;
        job.dataset.mean = {0.5, 0.25};
        job.usage.signals = {"loss", "margin"};
        try_decode(job, bytes);
        break;
    }
    case 1:
        try_decode(std::vector<std::string>{"loss", "margin"}, bytes);
        break;
    default:
        try_decode(std::vector<std::vector<std::uint64_t>>{{7, 9}, {}}, bytes);
    }
    return 0;
}
