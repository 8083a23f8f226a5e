//! What every importer offers to the loop that copies rows into a data set file.
#pragma once

#include "assay/data/dataset.hpp"
#include "assay/data/import.hpp"

#include <memory>

namespace assay::data {

//! Rows of a foreign format, in order. Serial.
class Source {
  public:
    virtual ~Source() = default;

    //! Fills the next rows: n x sample_bytes of values, n labels (none if info.has_labels is false). After
    //! the last row it also makes sure that the source ends there. Error(data) naming file and row.
    virtual void read(std::span<std::byte> values, std::span<std::int64_t> labels) = 0;

    std::string kind;
    DatasetInfo info;
    std::vector<std::string> classes; //!< names of classes 0..K-1, empty if the format has none
    bool has_names = false;           //!< have the rows names (of their files)?
    std::vector<std::string> names;   //!< then those of the rows that read() filled last
};

// One opener per format; Error(data) for anything that can be seen before the rows are read
bool is_idx(std::filesystem::path const& path); //!< by name, or by its first bytes
std::unique_ptr<Source> open_idx(ImportRequest const& request);
std::unique_ptr<Source> open_cifar(std::filesystem::path const& file_or_folder);
std::unique_ptr<Source> open_npy(ImportRequest const& request);
std::unique_ptr<Source> open_image_folder(std::filesystem::path const& folder);
std::unique_ptr<Source> open_csv_manifest(std::filesystem::path const& manifest);

//! "3x32x32"
std::string shape_text(store::Shape const& shape);

} // namespace assay::data
