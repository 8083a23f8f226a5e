// One image, PNG or JPEG by its contents
#include "fuzz.hpp"

#include "data/image.hpp"

#include <numeric>
#include <vector>

using namespace assay;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    auto const path = fuzz::scratch("image.png");
    fuzz::write_file(path, {reinterpret_cast<char const*>(data), size});
    fuzz::succeeds_or_fails_with(Exit::data, [&] {
        auto const shape = data::image_shape(path);
        std::vector<std::byte> pixels(
            std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>()));
        data::read_image(path, shape, path, pixels);
    });
    return 0;
}
