// IDX images and labels, plain or compressed
#include "import.hpp"

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    assay::fuzz::try_import_of_two({data, size}, "-images-idx3-ubyte");
    return 0;
}
