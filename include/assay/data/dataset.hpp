//! A data set file (docs/data.md): samples, labels and ids by row, read by hyperslab.
#pragma once

#include "assay/store/hdf5.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace assay::data {

//! How sample values are stored.
enum class SampleType { uint8, float32 };

//! What a data set file holds, without the samples.
struct DatasetInfo {
    std::uint64_t size = 0;    //!< N, number of samples
    store::Shape sample_shape; //!< one sample's shape, e.g. {C, H, W}
    SampleType type = SampleType::uint8;
    std::string layout = "NCHW"; //!< one letter per axis, the first is N
    bool has_labels = false;

    //! Number of values in one sample.
    std::uint64_t sample_elements() const;
    //! Bytes of one sample as stored.
    std::uint64_t sample_bytes() const;
};

//! Rows of a data set in memory.
struct Samples {
    std::vector<std::uint64_t> ids;   //!< [n]
    std::vector<std::int64_t> labels; //!< [n], empty where the data set has none
    std::vector<std::byte> values;    //!< [n x sample_bytes], row-major, as stored
};

//! Local. Part number `part` of `parts` equal ones, that were read together one after the other.
Samples part_of(Samples const& all, std::size_t part, std::size_t parts);

//! An open data set file, read-only and serial: each rank opens its own. Local throughout.
class Dataset {
  public:
    //! Error(data), naming file and array, for anything that breaks the contract and can be seen without
    //! reading the samples: missing, linked or ill-typed arrays, wrong rank, lengths that differ, no samples,
    //! values that were never written.
    explicit Dataset(std::filesystem::path path);

    std::filesystem::path const& path() const { return path_; }
    DatasetInfo const& info() const { return info_; }

    //! All ids [N]; 0..N-1 where the file has none.
    std::vector<std::uint64_t> ids() const { return ids(0, info_.size); }
    //! Ids of rows [begin, end).
    std::vector<std::uint64_t> ids(std::uint64_t begin, std::uint64_t end) const;
    //! All labels [N]; empty where the file has none.
    std::vector<std::int64_t> labels() const { return labels(0, info_.size); }
    //! Labels of rows [begin, end); empty where the file has none.
    std::vector<std::int64_t> labels(std::uint64_t begin, std::uint64_t end) const;
    //! Names of classes 0, 1, ...; empty where the file has none, or not as fixed-length strings.
    std::vector<std::string> classes() const;
    //! Has the file ids of its own?
    bool has_ids() const { return static_cast<bool>(ids_); }
    //! The given rows, in the given order; runs of consecutive rows are read as one hyperslab each.
    Samples read(std::span<std::uint64_t const> rows) const;
    //! The same, ids and labels alone.
    Samples read_keys(std::span<std::uint64_t const> rows) const;

  private:
    void open();

    std::filesystem::path path_;
    DatasetInfo info_;
    store::Handle file_, samples_, labels_, ids_;
};

//! Local. Reads rows [begin, end) piece by piece: Error(data) naming the first sample with NaN or infinity
//! among its values, or with a negative label. For uint8 samples only the labels are read.
void check_values(Dataset const& dataset, std::uint64_t begin, std::uint64_t end);

} // namespace assay::data
