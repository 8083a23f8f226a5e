#include "assay/data/dataset_writer.hpp"

#include "assay/store/result_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace assay::data {

namespace {

// HDF5 1.10 crashes at exit if closing a file failed, as it does on a full disk. What it still wants to write
// into a file that is given up goes to memory, so that closing succeeds
void discard(store::Handle const& file) {
    int* descriptor = nullptr;
    if (!file || H5Fget_vfd_handle(file.id(), H5P_DEFAULT, reinterpret_cast<void**>(&descriptor)) < 0)
        return;
    if (int const memory = memfd_create("discarded", 0); memory >= 0) {
        ::dup2(memory, *descriptor);
        ::close(memory);
    }
}

std::filesystem::path folder_of(std::filesystem::path const& path) {
    return path.has_parent_path() ? path.parent_path() : ".";
}

hid_t stored_type(SampleType type) {
    return type == SampleType::uint8 ? store::native_type<std::uint8_t>() : store::native_type<float>();
}

// Strings in UTF-8 of one width, or of any (H5T_VARIABLE)
store::Handle text_type(std::size_t width) {
    store::Handle type(H5Tcopy(H5T_C_S1), "H5Tcopy");
    store::require(H5Tset_size(type.id(), width), "H5Tset_size");
    store::require(H5Tset_cset(type.id(), H5T_CSET_UTF8), "H5Tset_cset");
    return type;
}

// Error(io) from the store, with the file's name and what to do about it
template <class Action>
void in_file(std::filesystem::path const& path, Action action) {
    try {
        action();
    } catch (Error const& error) {
        fail(Exit::io, "{}: cannot be written ({}). Check the free space and the permissions", path.string(),
             error.what());
    }
}

void require_space(std::filesystem::path const& path, DatasetInfo const& info) {
    std::error_code error;
    auto const free = std::filesystem::space(folder_of(path), error).available;
    auto const row = info.sample_bytes() + (info.has_labels ? sizeof(std::int64_t) : 0);
    double const needed = static_cast<double>(info.size) * static_cast<double>(row);
    if (!error && needed > static_cast<double>(free))
        fail(Exit::io, "{}: needs {:.1f} GB of disk, {:.1f} GB are free. Make room, or write elsewhere",
             path.string(), needed / 1e9, static_cast<double>(free) / 1e9);
}

} // namespace

void require_free_output(std::filesystem::path const& path, bool overwrite) {
    std::error_code error;
    if (!overwrite && std::filesystem::exists(path, error))
        fail(Exit::usage, "{}: exists. Name another output, or give --overwrite", path.string());
    if (std::filesystem::is_directory(path, error))
        fail(Exit::usage, "{}: is a folder. Name a file", path.string());
    if (!std::filesystem::is_directory(folder_of(path), error))
        fail(Exit::usage, "{}: its folder does not exist. Make it first", path.string());
}

DatasetWriter::DatasetWriter(std::filesystem::path path, DatasetInfo const& info, bool overwrite)
    : path_(std::move(path)), partial_(path_.string() + ".partial"), info_(info) {
    require_free_output(path_, overwrite);
    require_space(path_, info_);
    store::Shape shape{info_.size};
    shape.insert(shape.end(), info_.sample_shape.begin(), info_.sample_shape.end());
    in_file(partial_, [&] { file_ = store::create_file(partial_); });
    try { // no destructor runs if this constructor throws
        in_file(partial_, [&] {
            samples_ = store::create_dataset(file_, "/samples", stored_type(info_.type), shape,
                                             store::Fill::nothing);
            store::write_string(file_, "/samples", "layout", info_.layout);
            if (info_.has_labels)
                labels_ =
                    store::create_dataset(file_, "/labels", store::native_type<std::int64_t>(), {info_.size});
        });
    } catch (Error const&) {
        discard(file_);
        std::error_code ignored;
        std::filesystem::remove(partial_, ignored);
        throw;
    }
}

DatasetWriter::~DatasetWriter() {
    if (partial_.empty())
        return;
    discard(file_);
    std::error_code ignored;
    std::filesystem::remove(partial_, ignored);
}

void DatasetWriter::announce_names() {
    in_file(partial_, [&] {
        names_ = store::create_dataset(file_, "/names", text_type(H5T_VARIABLE).id(), {info_.size},
                                       store::Fill::missing); // strings of any length cannot do without
    });
}

void DatasetWriter::append(std::span<std::byte const> values, std::span<std::int64_t const> labels,
                           std::span<std::string const> names) {
    std::uint64_t const rows = values.size() / info_.sample_bytes();
    if (values.size() != rows * info_.sample_bytes() || labels.size() != (info_.has_labels ? rows : 0) ||
        names.size() != (names_ ? rows : 0) || rows > info_.size - written_)
        fail(Exit::internal, "{}: {} bytes, {} labels and {} names do not fit {} of {} rows written",
             partial_.string(), values.size(), labels.size(), names.size(), written_, info_.size);
    std::vector<char const*> texts;
    for (std::string const& name : names)
        texts.push_back(name.c_str());
    in_file(partial_, [&] {
        store::write_rows(samples_, written_, rows, stored_type(info_.type), values.data());
        if (info_.has_labels)
            store::write_rows(labels_, written_, rows, store::native_type<std::int64_t>(), labels.data());
        if (names_)
            store::write_rows(names_, written_, rows, text_type(H5T_VARIABLE).id(), texts.data());
    });
    written_ += rows;
}

void DatasetWriter::write_classes(std::span<std::string const> names) {
    std::size_t width = 1;
    for (auto const& name : names)
        width = std::max(width, name.size());
    std::vector<char> padded(names.size() * width, '\0');
    for (std::size_t i = 0; i < names.size(); ++i)
        std::ranges::copy(names[i], padded.begin() + static_cast<std::ptrdiff_t>(i * width));
    in_file(partial_, [&] {
        store::Handle const type = text_type(width);
        store::require(H5Tset_strpad(type.id(), H5T_STR_NULLPAD), "H5Tset_strpad");
        auto const classes =
            store::create_dataset(file_, "/classes", type.id(), {names.size()}, store::Fill::nothing);
        store::write_rows(classes, 0, names.size(), type.id(), padded.data());
    });
}

void DatasetWriter::finish() {
    if (written_ != info_.size)
        fail(Exit::internal, "{}: {} of {} rows were written", partial_.string(), written_, info_.size);
    in_file(partial_, [&] {
        store::require(H5Fflush(file_.id(), H5F_SCOPE_GLOBAL), "H5Fflush");
        samples_.close();
        labels_.close();
        names_.close();
        file_.close();
    });
    store::sync_to_disk(partial_);
    std::error_code error;
    std::filesystem::rename(partial_, path_, error);
    if (error)
        fail(Exit::io, "{}: cannot be renamed to {} ({}). Check the permissions", partial_.string(),
             path_.string(), error.message());
    partial_.clear();
    store::sync_to_disk(folder_of(path_));
}

std::vector<std::byte> as_stored(std::span<float const> values, SampleType type) {
    if (type == SampleType::float32) {
        auto const bytes = std::as_bytes(values);
        return {bytes.begin(), bytes.end()};
    }
    std::vector<std::byte> bytes;
    bytes.reserve(values.size());
    for (float value : values)
        bytes.push_back(static_cast<std::byte>(std::lround(std::clamp(value, 0.0F, 1.0F) * 255)));
    return bytes;
}

} // namespace assay::data
