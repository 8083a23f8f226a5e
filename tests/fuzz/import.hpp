//! What the fuzz targets of the importers share.
#pragma once

#include "fuzz.hpp"

#include "assay/data/choose.hpp"
#include "assay/data/dataset.hpp"
#include "assay/data/import.hpp"

#include <zlib.h>

#include <optional>

namespace assay::fuzz {

//! The whole import: refused with Error(data), or it leaves a data set file that passes our own checks.
inline void try_import(std::filesystem::path const& source, std::filesystem::path const& labels = {}) {
    auto const output = scratch("imported.h5");
    if (!succeeds_or_fails_with(Exit::data, [&] {
            data::import_dataset({.source = source, .labels = labels, .output = output, .overwrite = true});
        }))
        return;
    data::Dataset const dataset(output);
    data::check_values(dataset, 0, dataset.info().size);
    data::check_unique_ids({}, dataset);
}

//! Plain or compressed.
inline void write_maybe_gzip(std::filesystem::path const& path, std::string_view bytes, bool compress) {
    if (!compress)
        return write_file(path, bytes);
    gzFile const file = gzopen(path.c_str(), "wb1");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
}

//! A file of samples and perhaps one of labels: [flags] [length of the first, 2 bytes] [first] [second].
//! Flags: 1 and 2 compress the first and the second, 4 leaves out the labels.
inline void try_import_of_two(Bytes bytes, char const* extension) {
    auto const flags = bytes.byte();
    auto const length = bytes.value<std::uint16_t>();
    auto const samples = scratch(std::string("samples") + extension);
    auto const labels = scratch(std::string("labels") + extension);
    write_maybe_gzip(samples, bytes.some(length), flags & 1);
    write_maybe_gzip(labels, bytes.rest(), flags & 2);
    try_import(samples, flags & 4 ? std::filesystem::path() : labels);
}

} // namespace assay::fuzz
