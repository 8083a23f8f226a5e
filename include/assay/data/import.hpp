//! Importers: foreign formats to a data set file, streaming: memory does not grow with the number of samples.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace assay::data {

//! What to import. The kind of source is recognised from its name and contents (docs/data.md):
//! - IDX images (`…-images-idx3-ubyte[.gz]`), labels found beside them or given;
//! - CIFAR-10/100 binary: a `.bin` file, or a folder of them in name order without its `test*.bin`;
//! - `.npy` samples (uint8 or float32, [N,H,W], [N,C,H,W] or [N,F]) with a `.npy` of labels;
//! - a folder with one sub-folder of PNG/JPEG images per class (classes numbered in byte order of their
//! names);
//! - a `.csv` manifest with a header line naming `path` and, optionally, `label` columns; paths relative to
//! the file.
struct ImportRequest {
    std::filesystem::path source;
    std::filesystem::path labels; //!< empty: found by convention (IDX) or none (.npy)
    std::filesystem::path output;
    bool overwrite = false;
};

//! What was imported, for the one line that is printed.
struct ImportSummary {
    std::string kind; //!< "IDX", "CIFAR-10", …
    std::uint64_t samples = 0;
    std::string sample_shape;  //!< "1x28x28"
    std::uint64_t classes = 0; //!< number of class folders, else largest label + 1; 0: no labels
};

//! Serial. Error(data) naming file and sample for input that is missing, truncated, ragged, ill-typed or not
//! finite; Error(usage) for an output that exists or labels that do not go with the source; Error(io) if the
//! disk is full. Nothing is left under the output's name unless the import succeeded.
ImportSummary import_dataset(ImportRequest const& request);

} // namespace assay::data
