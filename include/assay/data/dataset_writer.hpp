//! Writes a data set file piece by piece; what is there before finish() has another name.
#pragma once

#include "assay/data/dataset.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace assay::data {

//! Error(usage) if `path` exists and `overwrite` is not set, or if its folder does not exist.
void require_free_output(std::filesystem::path const& path, bool overwrite);

//! Serial. Streams rows into PATH.partial; finish() renames it to PATH. Without finish() the partial file is
//! removed.
class DatasetWriter {
  public:
    //! Error(usage) as require_free_output(); Error(io) if the disk lacks the room or the file cannot be
    //! created.
    DatasetWriter(std::filesystem::path path, DatasetInfo const& info, bool overwrite);
    ~DatasetWriter();
    DatasetWriter(DatasetWriter const&) = delete;
    DatasetWriter& operator=(DatasetWriter const&) = delete;

    //! Rows will have names: /names [N], strings of any length. Before the first append().
    void announce_names();
    //! Appends n rows: `values` holds n x info.sample_bytes() bytes, `labels` n (or none if info.has_labels
    //! is false), `names` n (or none if not announced); Error(internal) for other sizes, Error(io) if writing
    //! fails.
    void append(std::span<std::byte const> values, std::span<std::int64_t const> labels,
                std::span<std::string const> names = {});
    //! Stores the names of classes 0..K-1 as /classes [K], fixed-length strings in UTF-8. At most once, K >
    //! 0.
    void write_classes(std::span<std::string const> names);
    //! Error(internal) unless exactly info.size rows were appended; flushes, fsyncs, renames.
    void finish();

  private:
    std::filesystem::path path_, partial_;
    DatasetInfo info_;
    store::Handle file_, samples_, labels_, names_;
    std::uint64_t written_ = 0;
};

//! Local. Values in [0, 1] as samples of that type are stored: bytes are 255ths, rounded.
std::vector<std::byte> as_stored(std::span<float const> values, SampleType type);

} // namespace assay::data
