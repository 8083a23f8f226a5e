//! Small data set files with ids of their own, for tests of views and splits.
#pragma once

#include "data/fixtures.hpp"

#include "assay/data/dataset_writer.hpp"
#include "assay/data/view.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

namespace assay::data::test {

inline DatasetInfo const kPartInfo{0, {1, 2, 2}, SampleType::float32, "NCHW", true};

//! Writes a file of tiny samples and opens it. A sample's first value is its own id (in uint8: the id's
//! lowest byte), the others are 0. No /labels if `labels` is empty.
inline std::shared_ptr<Dataset const> write_part(fs::path const& path, std::vector<std::uint64_t> const& ids,
                                                 std::vector<std::int64_t> const& labels,
                                                 DatasetInfo info = kPartInfo) {
    info.size = ids.size();
    info.has_labels = !labels.empty();
    std::vector<std::byte> values(info.size * info.sample_bytes());
    for (std::size_t i = 0; i < ids.size(); ++i) {
        auto const value = static_cast<float>(ids[i]);
        std::byte* const first = values.data() + i * info.sample_bytes();
        if (info.type == SampleType::float32)
            std::memcpy(first, &value, sizeof value);
        else
            *first = static_cast<std::byte>(ids[i]);
    }
    DatasetWriter writer(path, info, true);
    writer.append(values, labels);
    writer.finish();
    {
        store::Handle const file = store::open_to_write(path);
        store::Handle const column =
            store::create_dataset(file, "/ids", store::native_type<std::uint64_t>(), {ids.size()});
        store::write_rows(column, 0, ids.size(), store::native_type<std::uint64_t>(), ids.data());
    }
    return std::make_shared<Dataset const>(path);
}

//! The set of the given rows.
inline Rows some_rows(std::vector<std::uint64_t> const& rows) {
    std::vector<std::uint64_t> words;
    for (std::uint64_t row : rows) {
        words.resize(std::max<std::size_t>(words.size(), row / 64 + 1), 0);
        words[row / 64] |= std::uint64_t{1} << (row % 64);
    }
    return Rows(words);
}

//! All ids and labels of a view.
inline std::vector<std::uint64_t> ids_of(View const& view) {
    return view.ids(0, view.size());
}
inline std::vector<std::int64_t> labels_of(View const& view) {
    return view.labels(0, view.size());
}

} // namespace assay::data::test
