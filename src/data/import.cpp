#include "assay/data/import.hpp"

#include "data/finite.hpp"
#include "data/source.hpp"

#include "assay/data/dataset_writer.hpp"

#include <algorithm>

namespace assay::data {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kPieceBytes = 4 << 20;

bool holds_bin_files(fs::path const& folder) {
    auto const entries = fs::directory_iterator(folder);
    return std::any_of(begin(entries), end(entries),
                       [](auto const& entry) { return entry.path().extension() == ".bin"; });
}

void require_no_labels(ImportRequest const& request, char const* kind) {
    if (!request.labels.empty())
        fail(Exit::usage, "{}: labels do not go with a {} (it holds its own). Leave out --labels",
             request.labels.string(), kind);
}

std::unique_ptr<Source> open_source(ImportRequest const& request) {
    auto const& path = request.source;
    if (!fs::exists(path))
        fail(Exit::data, "{}: no such file or folder. Check the path", path.string());
    if (fs::is_directory(path) && !holds_bin_files(path)) {
        require_no_labels(request, "image folder");
        return open_image_folder(path);
    }
    if (fs::is_directory(path) || path.extension() == ".bin") {
        require_no_labels(request, "CIFAR file");
        return open_cifar(path);
    }
    if (path.extension() == ".csv") {
        require_no_labels(request, "CSV manifest");
        return open_csv_manifest(path);
    }
    if (path.extension() == ".npy")
        return open_npy(request);
    if (is_idx(path))
        return open_idx(request);
    fail(Exit::data,
         "{}: of no known kind (IDX images, .bin, .npy, .csv, folder of images). Convert it, or write the "
         "file "
         "with h5py: docs/data.md",
         path.string());
}

// Rows first.. as read: refuses what a data set may not hold
void check_piece(DatasetInfo const& info, std::uint64_t first, std::span<std::byte const> values,
                 std::span<std::int64_t const> labels, fs::path const& source) {
    if (info.type == SampleType::float32)
        if (auto const bad = first_not_finite(values))
            fail(Exit::data,
                 "{}: sample {} has {} among its values (they must be finite). Correct or drop it",
                 source.string(), first + bad->element / info.sample_elements(), bad->value);
    auto const negative = std::ranges::find_if(labels, [](std::int64_t label) { return label < 0; });
    if (negative != labels.end())
        fail(Exit::data, "{}: sample {} has label {}; classes count from 0. Correct or drop it",
             source.string(), first + static_cast<std::uint64_t>(negative - labels.begin()), *negative);
}

ImportSummary copy(Source& source, ImportRequest const& request) {
    auto const& info = source.info;
    ImportSummary summary{source.kind, info.size, shape_text(info.sample_shape), source.classes.size()};
    DatasetWriter writer(request.output, info, request.overwrite);
    if (source.has_names)
        writer.announce_names();
    std::uint64_t const rows = std::clamp<std::uint64_t>(kPieceBytes / info.sample_bytes(), 1, info.size);
    std::vector<std::byte> values(rows * info.sample_bytes());
    std::vector<std::int64_t> labels(info.has_labels ? rows : 0);
    for (std::uint64_t first = 0; first < info.size; first += rows) {
        std::uint64_t const n = std::min(rows, info.size - first);
        auto const piece = std::span(values).first(n * info.sample_bytes());
        auto const piece_labels = std::span(labels).first(info.has_labels ? n : 0);
        source.read(piece, piece_labels);
        check_piece(info, first, piece, piece_labels, request.source);
        for (auto const label : piece_labels)
            summary.classes = std::max(summary.classes, static_cast<std::uint64_t>(label) + 1);
        writer.append(piece, piece_labels, source.names);
    }
    if (!source.classes.empty())
        writer.write_classes(source.classes);
    writer.finish();
    return summary;
}

} // namespace

std::string shape_text(store::Shape const& shape) {
    return fmt::format("{}", fmt::join(shape, "x"));
}

ImportSummary import_dataset(ImportRequest const& request) {
    require_free_output(request.output, request.overwrite);
    try {
        auto const source = open_source(request);
        return copy(*source, request);
    } catch (fs::filesystem_error const& error) {
        fail(Exit::io, "{}: {}. Check path and permissions", request.source.string(), error.what());
    }
}

} // namespace assay::data
