#include "assay/base/error.hpp"
#include "assay/report/sweep.hpp"
#include "assay/store/array.hpp"
#include "assay/store/whole_file.hpp"

namespace assay::report {

namespace {

template <class T>
std::vector<T> read_column(store::Handle const& file, std::filesystem::path const& path, char const* name) {
    store::Handle const column = store::open_array(file, path, name);
    store::require_written(column, path, name);
    if (store::shape_of(column).size() != 1)
        fail(Exit::data, "{}: {} is no column (its shape is [{}]). Make the file again", path.string(), name,
             fmt::join(store::shape_of(column), ", "));
    return store::read_all<T>(column);
}

// What the generator of a cell was trained on, and what it says of the scored samples
struct Retraining {
    std::vector<std::uint64_t> ids, scored_ids;
    std::vector<std::uint8_t> used;
    std::vector<double> losses;
};

Retraining read_retraining(std::filesystem::path const& results) {
    return store::in_file(results, Exit::data, "The file is damaged: make it again", [&] {
        store::Handle const file = store::open_to_read(results);
        Retraining found{read_column<std::uint64_t>(file, results, "/training/id"),
                         read_column<std::uint64_t>(file, results, "/scored/id"),
                         read_column<std::uint8_t>(file, results, "/training/used"),
                         read_column<double>(file, results, "/scored/loss")};
        if (found.used.size() != found.ids.size() || found.losses.size() != found.scored_ids.size())
            fail(Exit::data,
                 "{}: {} of /training/used for {} ids, {} of /scored/loss for {} ids. Make it again",
                 results.string(), found.used.size(), found.ids.size(), found.losses.size(),
                 found.scored_ids.size());
        return found;
    });
}

void write_ids(store::Handle const& file, char const* path, std::vector<std::uint64_t> const& ids) {
    auto const type = store::native_type<std::uint64_t>();
    store::write_rows(store::create_dataset(file, path, type, {ids.size()}), 0, ids.size(), type, ids.data());
}

} // namespace

bool write_lds(std::filesystem::path const& folder, job::Sweep const& sweep) {
    auto const results = [&](std::size_t cell) { return folder / cell_name(cell) / "results.h5"; };
    std::uint64_t const cells = sweep.cells.size();
    Retraining const first = read_retraining(results(0));
    for (std::size_t cell = 1; cell < cells; ++cell)
        if (Retraining const other = read_retraining(results(cell));
            other.ids != first.ids || other.scored_ids != first.scored_ids)
            return false;
    store::write_whole_file(folder / "lds.h5", [&](store::Handle const& file) {
        auto const flag = store::native_type<std::uint8_t>();
        auto const real = store::native_type<double>();
        auto const masks = store::create_dataset(file, "/masks", flag, {cells, first.ids.size()});
        auto const outputs = store::create_dataset(file, "/outputs", real, {cells, first.scored_ids.size()});
        for (std::size_t cell = 0; cell < cells; ++cell) {
            Retraining found = read_retraining(results(cell));
            for (double& loss : found.losses)
                loss = -loss; // larger is better
            store::write_rows(masks, cell, 1, flag, found.used.data());
            store::write_rows(outputs, cell, 1, real, found.losses.data());
        }
        write_ids(file, "/ids", first.ids);
        write_ids(file, "/generated_ids", first.scored_ids);
    });
    return true;
}

} // namespace assay::report
