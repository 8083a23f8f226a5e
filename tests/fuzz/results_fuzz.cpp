// Results files as `assay reduce` takes them, built by a recipe: reading, the fit, the comparison with the
// truth
#include "hdf5_recipe.hpp"

#include "assay/report/summary.hpp"
#include "assay/usage/columns.hpp"

#include <array>

using namespace assay;

namespace {

void build(std::filesystem::path const& path, fuzz::Bytes& bytes) {
    store::Handle const file = store::create_file(path);
    std::uint64_t const n = 20 + bytes.below(20), m = 20 + bytes.below(20);
    fuzz::add_array(file, bytes, {"samples/id", H5T_NATIVE_UINT64, {n}});
    for (char const* name : {"signals/loss", "signals/margin", "partners/loss", "partners/margin"})
        fuzz::add_array(file, bytes, {name, H5T_NATIVE_FLOAT, {n}});
    if (bytes.below(2))
        for (char const* name : {"controls/loss", "controls/margin"})
            fuzz::add_array(file, bytes, {name, H5T_NATIVE_FLOAT, {n}});
    if (bytes.below(2)) {
        fuzz::add_array(file, bytes, {"held_out/samples/id", H5T_NATIVE_UINT64, {m}});
        for (char const* name : {"held_out/signals/loss", "held_out/signals/margin"})
            fuzz::add_array(file, bytes, {name, H5T_NATIVE_FLOAT, {m}});
    }
    if (bytes.below(2))
        fuzz::add_array(file, bytes, {"truth/member", H5T_NATIVE_UINT8, {n}});
    fuzz::add_text(file, bytes, "/signals/loss", "larger_means", "non-member");
    fuzz::add_text(file, bytes, "/", "job", "[usage]\nbootstrap = 50\n");
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::Bytes bytes(data, size);
    auto const path = fuzz::scratch("results.h5");
    std::string const reference = std::array{"auto", "held_out", "partners"}[bytes.below(3)];
    bool const logistic = bytes.below(4) == 0, fit = bytes.below(4) == 0;   // the fit is slow
    std::uint64_t const limit = bytes.below(2) ? 1 << 20 : bytes.below(40); // fewer than rows: some are drawn
    build(path, bytes);
    fuzz::succeeds_or_fails_with(Exit::data, [&] {
        store::read_string(store::open_to_read(path), "/", "job");
        usage::AuditInput const input = usage::read_columns(path, reference, limit);
        if (!fit)
            return;
        usage::Audit const audit =
            usage::audit_usage(input, {.bootstrap = 50, .logistic = logistic && !input.paired});
        auto const truth = report::read_truth(path, input);
        report::summary("fuzz", audit, truth).dump();
        report::table("fuzz", audit, truth);
        report::answer(audit);
    });
    return 0;
}
