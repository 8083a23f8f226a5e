#include "assay/data/selection.hpp"

#include "assay/base/error.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/data/choose.hpp"
#include "assay/store/array.hpp"

#include <algorithm>

namespace assay::data {

namespace {

constexpr std::uint64_t kPiece = 1 << 18; // labels or ids read at a time

std::string shape_text(store::Shape const& shape) {
    return fmt::format("{}", fmt::join(shape, "x"));
}

// One number must mean one class: else samples of one file look like nothing that belongs to the other
void check_same_classes(Dataset const& dataset, Dataset const& first) {
    std::vector<std::string> const names = dataset.classes(), expected = first.classes();
    if (names.empty() || expected.empty() || names == expected)
        return;
    auto const [name, other] = std::ranges::mismatch(names, expected);
    fail(Exit::data,
         "{}: class {} is '{}', in {} it is '{}' (one number must mean one class). Import both from folders "
         "of "
         "the same names, or give the numbers in a CSV manifest",
         dataset.path().string(), name - names.begin(), name == names.end() ? "missing" : *name,
         first.path().string(), other == expected.end() ? "missing" : *other);
}

// Local. Calls visit(row, label) for this rank's share of a file
template <class Visit>
void for_each_label(comm::Communicator const& comm, Dataset const& dataset, Visit visit) {
    Slice const mine = my_slice(comm, dataset.info().size);
    for (std::uint64_t first = mine.begin; first < mine.end; first += kPiece) {
        std::vector<std::int64_t> const labels = dataset.labels(first, std::min(mine.end, first + kPiece));
        for (std::size_t i = 0; i < labels.size(); ++i)
            visit(first + i, labels[i]);
    }
}

// The ids in /exclude, ascending
std::vector<std::uint64_t> read_excluded(std::filesystem::path const& path) {
    store::Handle const file = store::open_to_read(path);
    store::Handle const array = store::open_array(file, path, "/exclude");
    store::require_written(array, path, "/exclude");
    std::string const type = store::type_name(array);
    if (store::shape_of(array).size() != 1 || type != "uint64")
        fail(Exit::data, "{}: /exclude is {} of rank {} (must be uint64 [n]). Write the ids so",
             path.string(), type, store::shape_of(array).size());
    auto ids = store::in_file(path, Exit::data, "The file is damaged: make it again",
                              [&] { return store::read_all<std::uint64_t>(array); });
    std::ranges::sort(ids);
    return ids;
}

} // namespace

void check_alike(Dataset const& dataset, Dataset const& first) {
    if (dataset.info().sample_shape != first.info().sample_shape)
        fail(Exit::data,
             "{}: samples are {}, those of {} are {} (one model sees both). Bring them to one shape",
             dataset.path().string(), shape_text(dataset.info().sample_shape), first.path().string(),
             shape_text(first.info().sample_shape));
    if (dataset.info().type != first.info().type)
        fail(Exit::data,
             "{}: samples are stored in another type than those of {} (one model sees both). Convert one",
             dataset.path().string(), first.path().string());
    check_same_classes(dataset, first);
}

std::int64_t count_classes(comm::Communicator const& comm, std::int64_t wanted,
                           std::span<std::shared_ptr<Dataset const> const> files) {
    std::int64_t largest = -1;
    comm::agree(comm, [&] {
        for (auto const& file : files) {
            if (!file->info().has_labels)
                continue;
            for_each_label(comm, *file, [&](std::uint64_t row, std::int64_t label) {
                if (label < 0 || (wanted > 0 && label >= wanted))
                    fail(Exit::data, "{}: label {} at row {} ({}). Correct the label or dataset.classes",
                         file->path().string(), label, row,
                         wanted > 0 ? fmt::format("outside the {} classes", wanted) : "classes count from 0");
                largest = std::max(largest, label);
            });
        }
    });
    return wanted > 0 ? wanted : comm::all_max(comm, largest) + 1;
}

Rows draw(comm::Communicator const& comm, Dataset const& dataset, Rows const& among, std::int64_t count,
          char const* key, std::uint64_t seed) {
    if (count == 0)
        return among;
    auto const wanted = static_cast<std::uint64_t>(count);
    if (wanted > among.size())
        throw comm::AgreedError(Exit::usage, fmt::format("{}={} ({} has only {} samples). Ask for fewer", key,
                                                         count, dataset.path().string(), among.size()));
    return choose_rows(comm, dataset, among, seed, 0, wanted);
}

Rows without_excluded(Dataset const& dataset, Rows const& among, std::filesystem::path const& path) {
    std::vector<std::uint64_t> const excluded = read_excluded(path);
    std::vector<std::uint8_t> found(excluded.size(), 0);
    std::uint64_t const size = dataset.info().size;
    std::vector<std::uint64_t> words((size + 63) / 64, 0);
    for (std::uint64_t first = 0; first < size; first += kPiece) {
        std::vector<std::uint64_t> const ids = dataset.ids(first, std::min(size, first + kPiece));
        for (std::size_t i = 0; i < ids.size(); ++i) {
            auto const place = std::ranges::lower_bound(excluded, ids[i]);
            bool const is_excluded = place != excluded.end() && *place == ids[i];
            if (is_excluded)
                found[static_cast<std::size_t>(place - excluded.begin())] = 1;
            else if (std::uint64_t const row = first + i; among.contains(row))
                words[row / 64] |= std::uint64_t{1} << (row % 64);
        }
    }
    if (auto const missing = std::ranges::find(found, 0); missing != found.end())
        fail(Exit::data, "{}: /exclude names id {} ({} has no such sample). Use the list that belongs to it",
             path.string(), excluded[static_cast<std::size_t>(missing - found.begin())],
             dataset.path().string());
    return Rows(std::move(words));
}

} // namespace assay::data
