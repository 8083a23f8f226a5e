// Results files of a valuation as `assay reduce` takes them, built by a recipe: reading, the values, the
// comparison with the truth, the report
#include "hdf5_recipe.hpp"

#include "assay/report/valuation.hpp"
#include "assay/valuation/columns.hpp"

using namespace assay;

namespace {

void build(std::filesystem::path const& path, fuzz::Bytes& bytes) {
    store::Handle const file = store::create_file(path);
    // One neighbour each: a list of more in random order would hardly ever ascend
    std::uint64_t const n = 1 + bytes.below(20), m = 1 + bytes.below(20), k = bytes.below(8) ? 1 : 2;
    fuzz::add_array(file, bytes, {"samples/id", H5T_NATIVE_UINT64, {n}});
    fuzz::add_array(file, bytes, {"generated/id", H5T_NATIVE_UINT64, {m}});
    fuzz::add_array(file, bytes, {"neighbours/row", H5T_NATIVE_INT64, {m, k}});
    fuzz::add_array(file, bytes, {"neighbours/distance", H5T_NATIVE_DOUBLE, {m, k}});
    if (bytes.below(2)) {
        fuzz::add_array(file, bytes, {"samples/label", H5T_NATIVE_INT64, {n}});
        fuzz::add_array(file, bytes, {"generated/label", H5T_NATIVE_INT64, {m}});
    }
    if (bytes.below(2))
        fuzz::add_array(file, bytes, {"samples/group", H5T_NATIVE_INT64, {n}});
    if (bytes.below(2))
        fuzz::add_array(file, bytes, {"generated/quality", H5T_NATIVE_FLOAT, {m}});
    if (bytes.below(2)) {
        fuzz::add_array(file, bytes, {"samples/attribute", H5T_NATIVE_UINT8, {n, 2}});
        fuzz::add_array(file, bytes, {"generated/attribute", H5T_NATIVE_UINT8, {m, 2}});
    }
    if (bytes.below(2)) {
        fuzz::add_array(file, bytes, {"held_out_neighbours/row", H5T_NATIVE_INT64, {m, 1}});
        fuzz::add_array(file, bytes, {"held_out_neighbours/distance", H5T_NATIVE_DOUBLE, {m, 1}});
    }
    if (bytes.below(2))
        fuzz::add_array(file, bytes, {"truth/ood", H5T_NATIVE_UINT8, {n}});
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::Bytes bytes(data, size);
    auto const path = fuzz::scratch("valuation.h5");
    build(path, bytes);
    fuzz::succeeds_or_fails_with(Exit::data, [&] {
        valuation::ValuationInput const input = valuation::read_columns(path);
        valuation::ValuationOptions const options{
            .k = 1,
            .quality = input.quality.empty() ? valuation::QualityMode::none : valuation::QualityMode::mean1,
            .bootstrap = 10,
            .shapley_k = 1};
        valuation::Valuation const found = valuation::value(input, options);
        auto const outliers = report::read_outlier_scores(path, found, input.ids);
        report::ValuationContext const context{"fuzz", input.ids, input.generated_ids, outliers};
        report::summary(found, context).dump();
        report::table(found, context);
        report::answer(found);
        valuation::metrics(found);
    });
    return 0;
}
