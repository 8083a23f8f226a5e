// Data set files (docs/data.md), built by a recipe
#include "hdf5_recipe.hpp"

#include "assay/data/choose.hpp"
#include "assay/data/dataset.hpp"

using namespace assay;

namespace {

void build(std::filesystem::path const& path, fuzz::Bytes bytes) {
    store::Handle const file = store::create_file(path);
    std::uint64_t const n = 1 + bytes.below(6);
    hid_t const type = bytes.below(2) ? H5T_NATIVE_FLOAT : H5T_NATIVE_UINT8;
    store::Shape const shape = bytes.below(2) ? store::Shape{n, 1, 2, 2} : store::Shape{n, 3};
    fuzz::add_array(file, bytes, {"samples", type, shape});
    fuzz::add_array(file, bytes, {"labels", H5T_NATIVE_INT64, {n}});
    fuzz::add_array(file, bytes, {"ids", H5T_NATIVE_UINT64, {n}});
    fuzz::add_text(file, bytes, "/samples", "layout", shape.size() == 4 ? "NCHW" : "NC");
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    auto const path = fuzz::scratch("dataset.h5");
    build(path, {data, size});
    fuzz::succeeds_or_fails_with(Exit::data, [&] {
        data::Dataset const dataset(path);
        auto const n = dataset.info().size;
        data::check_unique_ids({}, dataset);
        data::check_values(dataset, 0, n);
        std::vector<std::uint64_t> const rows{n - 1, 0, n / 2};
        auto const samples = dataset.read(rows);
        fuzz::require(samples.ids.size() == 3 && samples.values.size() == 3 * dataset.info().sample_bytes(),
                      "rows of another size");
    });
    return 0;
}
