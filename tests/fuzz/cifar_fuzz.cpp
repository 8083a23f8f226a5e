// CIFAR binary files: [padding] [bytes]; padded with zeros to whole records, so that more than sizes is
// tested
#include "import.hpp"

#include <array>

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    assay::fuzz::Bytes bytes(data, size);
    std::size_t const record = std::array<std::size_t, 3>{1, 3073, 3074}[bytes.below(3)];
    std::string contents(bytes.rest());
    contents.resize((contents.size() + record - 1) / record * record);
    auto const path = assay::fuzz::scratch("batch.bin");
    assay::fuzz::write_file(path, contents);
    assay::fuzz::try_import(path);
    return 0;
}
