// .npy samples and labels, plain or compressed
#include "import.hpp"

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    assay::fuzz::try_import_of_two({data, size}, ".npy");
    return 0;
}
