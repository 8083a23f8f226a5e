//! HDF5 through small owning handles. Every call throws assay::Error with HDF5's own reason in it.
//! HDF5 here is not thread-safe: one thread per process may call anything in this file.
#pragma once

#include "assay/base/error.hpp"
#include "assay/comm/communicator.hpp"

#include <hdf5.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace assay::store {

//! Owns one reference to an HDF5 object of any kind. Move-only.
class Handle {
  public:
    Handle() = default;
    //! Takes over `id`; Error(io) with `what` and HDF5's reason if it is negative.
    Handle(hid_t id, std::string const& what);
    Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
    Handle& operator=(Handle&& other) noexcept;
    ~Handle();

    hid_t id() const { return id_; }
    explicit operator bool() const { return id_ >= 0; }
    //! Closes now. For a file opened on several ranks this is collective.
    void close();
    //! Forgets the object without closing it: for a parallel file while one rank unwinds, since closing would
    //! hang.
    void abandon() { id_ = H5I_INVALID_HID; }

  private:
    hid_t id_ = H5I_INVALID_HID;
};

//! Throws Error(io) "what: HDF5's reason" if `status` is negative.
void require(herr_t status, std::string const& what);

using Shape = std::vector<std::uint64_t>;

// Files. Serial unless a communicator with MPI behind it is given; then every call is collective. Errors of
// the latter two do not name the path: callers do, with what to do
Handle open_to_read(std::filesystem::path const& path);
Handle open_to_write(std::filesystem::path const& path, comm::Communicator const& comm = {});
Handle create_file(std::filesystem::path const& path, comm::Communicator const& comm = {});

// Objects. `path` is absolute inside the file
bool exists(Handle const& file, std::string const& path);
Handle open_dataset(Handle const& file, std::string const& path);
Handle create_group(Handle const& file, std::string const& path);
bool is_group(Handle const& file, std::string const& path);
//! Names of the objects directly in a group, in byte order; empty if there is no such group.
std::vector<std::string> names_in(Handle const& file, std::string const& group);
Shape shape_of(Handle const& dataset);
//! Elements of one row: the product of all extents but the first.
std::uint64_t row_size(Handle const& dataset);
//! "uint8", "int64", "uint64", "float32", "float64", "float16", "bfloat16" …, or "other".
std::string type_name(Handle const& dataset);
//! What a new dataset holds before it is written.
enum class Fill {
    missing, //!< NaN in floats, 0 in integers
    nothing, //!< whatever the disk held: only where everything is written before anyone reads, saving half
             //!< the bytes
};
//! Contiguous, allocated early, no time stamps.
Handle create_dataset(Handle const& file, std::string const& path, hid_t type, Shape const& shape,
                      Fill fill = Fill::missing);

//! The HDF5 type of T in memory; in files the same type, so that bulk transfers are never converted.
template <class T>
hid_t native_type();
template <>
hid_t native_type<std::uint8_t>();
template <>
hid_t native_type<std::int64_t>();
template <>
hid_t native_type<std::uint64_t>();
template <>
hid_t native_type<float>();
template <>
hid_t native_type<double>();

//! Rows [begin, begin + count) of a dataset.
struct RowRange {
    std::uint64_t begin = 0, count = 0;
    bool operator==(RowRange const&) const = default;
};

//! Rows [begin, begin + count) of a dataset, `out` holding count x row elements. Independent.
void read_rows(Handle const& dataset, std::uint64_t begin, std::uint64_t count, hid_t type, void* out);
//! The same of some `columns` of a two-dimensional dataset, `out` holding rows.count x columns.count
//! elements.
void read_block(Handle const& dataset, RowRange const& rows, RowRange const& columns, hid_t type, void* out);
//! The same as read_rows(), writing. Collective over the file's communicator where `collective`: a rank with
//! nothing to write passes count = 0 and still takes part. Returns why HDF5 did not write collectively, as
//! bits of H5D_mpio_no_collective_cause_t; 0 if it did.
std::uint32_t write_rows(Handle const& dataset, std::uint64_t begin, std::uint64_t count, hid_t type,
                         void const* in, bool collective = false);
//! The same for several ranges, ascending and disjoint, whose rows `in` holds one after the other; a rank
//! with nothing to write passes none.
std::uint32_t write_ranges(Handle const& dataset, std::span<RowRange const> ranges, hid_t type,
                           void const* in, bool collective = false);

//! A new dataset [values.size()] of strings, all as long as the longest, padded with NUL.
void write_strings(Handle const& file, std::string const& path, std::span<std::string const> values);

template <class T>
std::vector<T> read_all(Handle const& dataset) {
    std::uint64_t elements = 1;
    Shape const shape = shape_of(dataset);
    for (auto n : shape)
        elements *= n;
    std::vector<T> values(elements);
    read_rows(dataset, 0, shape.empty() ? 1 : shape[0], native_type<T>(), values.data());
    return values;
}

//! Calls visit(first row, values) for a 1-D dataset from its first row to its last, 2^20 rows at a time.
template <class T, class Visit>
void for_each_piece(Handle const& column, Visit visit) {
    constexpr std::uint64_t kPiece = 1 << 20;
    std::uint64_t const rows = shape_of(column).at(0);
    std::vector<T> values;
    for (std::uint64_t first = 0; first < rows; first += kPiece) {
        values.resize(std::min(kPiece, rows - first));
        read_rows(column, first, values.size(), native_type<T>(), values.data());
        visit(first, std::span<T const>(values));
    }
}

// Attributes of a group ("/" for the root) or dataset. Strings are fixed-length, padded with NUL to `size`,
// so that a later write in place changes no metadata layout
void write_string(Handle const& file, std::string const& object, std::string const& name,
                  std::string const& value, std::size_t size = 0);
std::optional<std::string> read_string(Handle const& file, std::string const& object,
                                       std::string const& name);
std::optional<std::int64_t> read_number(Handle const& file, std::string const& object,
                                        std::string const& name);
void write_number(Handle const& file, std::string const& object, std::string const& name, hid_t type,
                  void const* value);
//! One number of any type; empty if there is no such attribute, or it is an array or text.
std::optional<double> read_real(Handle const& file, std::string const& object, std::string const& name);
//! In byte order.
std::vector<std::string> attribute_names(Handle const& file, std::string const& object);
template <class T>
void write_number(Handle const& file, std::string const& object, std::string const& name, T value) {
    write_number(file, object, name, native_type<T>(), &value);
}

} // namespace assay::store
