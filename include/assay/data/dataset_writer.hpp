//! Writes a data set file piece by piece; what is there before finish() has another name.
#pragma once

#include "assay/data/dataset.hpp"

namespace assay::data {

//! Serial. Streams rows into PATH.partial; finish() renames it to PATH. Without finish() the partial file is
//! removed.
class DatasetWriter {
  public:
    //! Error(usage) if `path` exists and `overwrite` is not set; Error(io) if it cannot be created.
    DatasetWriter(std::filesystem::path path, DatasetInfo const& info, bool overwrite);
    ~DatasetWriter();
    DatasetWriter(DatasetWriter const&) = delete;
    DatasetWriter& operator=(DatasetWriter const&) = delete;

    //! Appends rows: `values` holds n x info.sample_bytes() bytes, `labels` n (or none if info.has_labels is
    //! false).
    void append(std::span<std::byte const> values, std::span<std::int64_t const> labels);
    //! Error(internal) unless exactly info.size rows were appended; flushes, fsyncs, renames.
    void finish();

  private:
    std::filesystem::path path_, partial_;
    DatasetInfo info_;
    store::Handle file_, samples_, labels_;
    std::uint64_t written_ = 0;
};

} // namespace assay::data
