#include "assay/data/dataset.hpp"

#include "data/column.hpp"
#include "data/finite.hpp"

#include "assay/data/rows.hpp"
#include "assay/store/array.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace assay::data {

namespace {

constexpr std::uint64_t kPieceBytes = 4 << 20;

SampleType sample_type(store::Handle const& samples, std::string const& where) {
    auto const type = store::type_name(samples);
    if (type == "uint8")
        return SampleType::uint8;
    if (type == "float32")
        return SampleType::float32;
    fail(Exit::data, "{} is {} (must be uint8 or float32). Write samples.astype(\"float32\")", where, type);
}

void require_extent(store::Shape const& shape, std::string const& where) {
    if (shape.size() < 2)
        fail(Exit::data, "{} has {} axes (must be [N, ...], at least two). Write samples.reshape(N, -1)",
             where, shape.size());
    if (shape[0] == 0)
        fail(Exit::data, "{} holds no samples (its shape is {}). Write at least one", where,
             fmt::join(shape, "x"));
    std::uint64_t bytes = sizeof(float);
    for (auto const n : shape)
        if (n == 0 || __builtin_mul_overflow(bytes, n, &bytes) ||
            bytes > std::numeric_limits<std::int64_t>::max())
            fail(Exit::data, "{} has the impossible shape {} (an axis is empty, or the product overflows)",
                 where, fmt::join(shape, "x"));
}

// An array of strings would overrun read_string()'s buffer, a number would pass for no layout at all
void require_one_string(store::Handle const& samples, std::string const& where) {
    if (H5Aexists(samples.id(), "layout") <= 0)
        return;
    store::Handle const attribute(H5Aopen(samples.id(), "layout", H5P_DEFAULT), "/samples@layout");
    store::Handle const type(H5Aget_type(attribute.id()), "/samples@layout");
    store::Handle const space(H5Aget_space(attribute.id()), "/samples@layout");
    if (H5Tget_class(type.id()) != H5T_STRING || H5Sget_simple_extent_npoints(space.id()) != 1)
        fail(Exit::data, "{} has an attribute `layout` that is not one string. Set it, e.g. to \"NCHW\"",
             where);
}

std::string layout_of(store::Handle const& file, std::size_t rank, std::string const& where) {
    auto const stored = store::read_string(file, "/samples", "layout");
    if (!stored && (rank == 2 || rank == 4))
        return rank == 2 ? "NC" : "NCHW";
    if (!stored)
        fail(Exit::data,
             "{} has {} axes and no attribute `layout` (their meaning is unknown). Set it, e.g. to \"NT\"",
             where, rank);
    auto sorted = *stored;
    std::sort(sorted.begin(), sorted.end());
    bool const letters =
        std::all_of(sorted.begin(), sorted.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    bool const unique = std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
    if (stored->size() != rank || stored->front() != 'N' || !letters || !unique)
        fail(Exit::data,
             "{} has layout '{}' (must be one capital letter for each of its {} axes, N first, none twice). "
             "Correct the attribute",
             where, *stored, rank);
    return *stored;
}

} // namespace

std::uint64_t DatasetInfo::sample_elements() const {
    return std::accumulate(sample_shape.begin(), sample_shape.end(), std::uint64_t{1}, std::multiplies<>());
}

std::uint64_t DatasetInfo::sample_bytes() const {
    return sample_elements() * (type == SampleType::uint8 ? sizeof(std::uint8_t) : sizeof(float));
}

Samples part_of(Samples const& all, std::size_t part, std::size_t parts) {
    auto const cut = [&](auto const& values) {
        std::size_t const size = values.size() / parts;
        auto const first = values.begin() + static_cast<std::ptrdiff_t>(part * size);
        return std::remove_cvref_t<decltype(values)>(first, first + static_cast<std::ptrdiff_t>(size));
    };
    return {cut(all.ids), cut(all.labels), cut(all.values)};
}

Dataset::Dataset(std::filesystem::path path) : path_(std::move(path)) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path_, error))
        fail(Exit::data, "{}: no such file{}. Check the path", path_.string(),
             std::filesystem::exists(path_, error) ? " (it is no regular file)" : "");
    store::in_file(path_, Exit::data, "The file is damaged or truncated: make it again", [this] { open(); });
}

void Dataset::open() {
    file_ = store::open_to_read(path_);
    std::string const where = path_.string() + ": /samples";
    samples_ = store::open_array(file_, path_, "/samples");
    auto const shape = store::shape_of(samples_);
    info_.type = sample_type(samples_, where);
    require_extent(shape, where);
    store::require_written(samples_, path_, "/samples");
    info_.size = shape[0];
    info_.sample_shape.assign(shape.begin() + 1, shape.end());
    require_one_string(samples_, where);
    info_.layout = layout_of(file_, shape.size(), where);
    if (store::exists(file_, "/labels"))
        labels_ = open_column(file_, path_, "/labels", {"int64", 1}, info_.size);
    info_.has_labels = static_cast<bool>(labels_);
    if (store::exists(file_, "/ids"))
        ids_ = open_column(file_, path_, "/ids", {"uint64", 1}, info_.size);
}

std::vector<std::uint64_t> Dataset::ids(std::uint64_t begin, std::uint64_t end) const {
    std::vector<std::uint64_t> ids(end - begin);
    if (!ids_)
        std::iota(ids.begin(), ids.end(), begin);
    else
        store::in_file(path_, Exit::io, "Is the file damaged, or the disk?", [&] {
            store::read_rows(ids_, begin, ids.size(), store::native_type<std::uint64_t>(), ids.data());
        });
    return ids;
}

std::vector<std::int64_t> Dataset::labels(std::uint64_t begin, std::uint64_t end) const {
    std::vector<std::int64_t> labels(labels_ ? end - begin : 0);
    if (labels_)
        store::in_file(path_, Exit::io, "Is the file damaged, or the disk?", [&] {
            store::read_rows(labels_, begin, labels.size(), store::native_type<std::int64_t>(),
                             labels.data());
        });
    return labels;
}

std::vector<std::string> Dataset::classes() const {
    if (!store::exists(file_, "/classes"))
        return {};
    auto const array = store::open_array(file_, path_, "/classes");
    store::require_written(array, path_, "/classes");
    store::Handle const type(H5Dget_type(array.id()), "/classes");
    auto const shape = store::shape_of(array);
    if (H5Tget_class(type.id()) != H5T_STRING || H5Tis_variable_str(type.id()) > 0 || shape.size() != 1)
        return {};
    std::size_t const width = H5Tget_size(type.id());
    std::string text(shape[0] * width, '\0');
    store::in_file(path_, Exit::io, "Is the file damaged, or the disk?",
                   [&] { store::read_rows(array, 0, shape[0], type.id(), text.data()); });
    std::vector<std::string> names;
    for (std::size_t i = 0; i < shape[0]; ++i)
        names.emplace_back(text.substr(i * width, width).c_str()); // up to the padding
    return names;
}

Samples Dataset::read_keys(std::span<std::uint64_t const> rows) const {
    for (auto const row : rows)
        if (row >= info_.size)
            fail(Exit::internal, "{}: row {} was asked for, but there are {}", path_.string(), row,
                 info_.size);
    Samples result{
        std::vector<std::uint64_t>(rows.size()), std::vector<std::int64_t>(labels_ ? rows.size() : 0), {}};
    for_each_run(rows, [&](std::uint64_t first, std::uint64_t count, std::size_t at) {
        std::ranges::copy(ids(first, first + count), result.ids.begin() + static_cast<std::ptrdiff_t>(at));
        std::ranges::copy(labels(first, first + count),
                          result.labels.begin() + static_cast<std::ptrdiff_t>(labels_ ? at : 0));
    });
    return result;
}

Samples Dataset::read(std::span<std::uint64_t const> rows) const {
    Samples result = read_keys(rows);
    auto const bytes = info_.sample_bytes();
    auto const type =
        info_.type == SampleType::uint8 ? store::native_type<std::uint8_t>() : store::native_type<float>();
    result.values.resize(rows.size() * bytes);
    for_each_run(rows, [&](std::uint64_t first, std::uint64_t count, std::size_t at) {
        store::in_file(path_, Exit::io, "Is the file damaged, or the disk?", [&] {
            store::read_rows(samples_, first, count, type, result.values.data() + at * bytes);
        });
    });
    return result;
}

void check_values(Dataset const& dataset, std::uint64_t begin, std::uint64_t end) {
    auto const& info = dataset.info();
    bool const floats = info.type == SampleType::float32;
    std::string const path = dataset.path().string();
    std::uint64_t const row_bytes = floats ? info.sample_bytes() : sizeof(std::int64_t);
    std::uint64_t const piece = std::max<std::uint64_t>(1, kPieceBytes / row_bytes);
    auto const check_label = [&](std::uint64_t row, std::int64_t label) {
        if (label < 0)
            fail(Exit::data,
                 "{}: /labels is {} at row {} (id {}); classes count from 0. Correct or drop the sample",
                 path, label, row, dataset.ids(row, row + 1)[0]);
    };
    for (std::uint64_t first = begin; first < end; first += piece) {
        std::uint64_t const last = std::min(end, first + piece);
        if (!floats) {
            auto const labels = dataset.labels(first, last);
            for (std::size_t i = 0; i < labels.size(); ++i)
                check_label(first + i, labels[i]);
            continue;
        }
        std::vector<std::uint64_t> rows(last - first);
        std::iota(rows.begin(), rows.end(), first);
        auto const samples = dataset.read(rows);
        auto const bad = first_not_finite(samples.values);
        auto const bad_row = bad ? bad->element / info.sample_elements() : rows.size();
        for (std::size_t i = 0; i < std::min(bad_row, samples.labels.size()); ++i)
            check_label(rows[i], samples.labels[i]);
        if (bad)
            fail(Exit::data,
                 "{}: /samples has {} in row {} (id {}); values must be finite. Correct or drop the sample",
                 path, bad->value, rows[bad_row], samples.ids[bad_row]);
    }
}

} // namespace assay::data
