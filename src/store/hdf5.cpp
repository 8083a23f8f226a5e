#include "assay/store/hdf5.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <string_view>

#include <unistd.h>

namespace assay::store {

namespace {

// HDF5 prints its error stack by default; ours goes into the exception instead
void quiet() {
    static bool const done = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
    (void)done;
}

std::string last_reason() {
    std::string reason;
    H5Ewalk2(
        H5E_DEFAULT, H5E_WALK_UPWARD, // innermost first: where the real cause is
        [](unsigned, H5E_error2_t const* entry, void* out) -> herr_t {
            auto& text = *static_cast<std::string*>(out);
            if (text.empty() && entry->desc)
                text = entry->desc;
            return 0;
        },
        &reason);
    // A driver's message holds times and addresses around what matters: "... error message = 'No space left
    // on device' ..."
    static constexpr std::string_view kQuoted = "error message = '";
    if (auto const begin = reason.find(kQuoted); begin != std::string::npos) {
        reason = reason.substr(begin + kQuoted.size());
        reason = reason.substr(0, reason.find('\''));
    }
    std::replace(reason.begin(), reason.end(), '\n', ' ');
    return reason.empty() ? "HDF5 gives no reason" : reason;
}

Handle dataspace(Shape const& shape) {
    std::vector<hsize_t> const dims(shape.begin(), shape.end());
    return {H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), "H5Screate_simple"};
}

Handle access_by(comm::Communicator const& comm) {
    Handle access(H5Pcreate(H5P_FILE_ACCESS), "H5Pcreate");
    if (!comm.is_serial()) {
        require(H5Pset_fapl_mpio(access.id(), comm.mpi(), MPI_INFO_NULL), "H5Pset_fapl_mpio");
        require(H5Pset_all_coll_metadata_ops(access.id(), true), "H5Pset_all_coll_metadata_ops");
        require(H5Pset_coll_metadata_write(access.id(), true), "H5Pset_coll_metadata_write");
    }
    return access;
}

// Puts `blocks` ranges of rows, the first of them `rows` and each `stride` rows after the one before, into a
// selection
void select_blocks(Handle const& space, Shape const& shape, H5S_seloper_t how, RowRange const& rows,
                   std::uint64_t stride, std::uint64_t blocks) {
    std::vector<hsize_t> start(shape.size(), 0), step(shape.size(), 1), count(shape.size(), 1);
    std::vector<hsize_t> block(shape.begin(), shape.end());
    start[0] = rows.begin;
    step[0] = stride;
    count[0] = blocks;
    block[0] = rows.count;
    require(H5Sselect_hyperslab(space.id(), how, start.data(), step.data(), count.data(), block.data()),
            "H5Sselect_hyperslab");
}

// Are all ranges of one length and equally far apart? Then one selection says it all, and HDF5 is fast
bool are_regular(std::span<RowRange const> ranges) {
    for (std::size_t i = 1; i < ranges.size(); ++i)
        if (ranges[i].count != ranges[0].count ||
            ranges[i].begin - ranges[i - 1].begin != ranges[1].begin - ranges[0].begin)
            return false;
    return true;
}

// Selects `ranges` of rows of `dataset` in `file_space`; returns the matching memory space
Handle select_rows(Handle const& dataset, Handle const& file_space, std::span<RowRange const> ranges) {
    Shape shape = shape_of(dataset);
    if (shape.empty())
        shape = {1};
    std::uint64_t rows = 0;
    for (RowRange const& range : ranges)
        rows += range.count;
    std::vector<hsize_t> extent(shape.begin(), shape.end());
    extent[0] = rows;
    Handle memory_space(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr),
                        "H5Screate_simple");
    if (rows == 0) {
        require(H5Sselect_none(file_space.id()), "H5Sselect_none");
        require(H5Sselect_none(memory_space.id()), "H5Sselect_none");
    } else if (are_regular(ranges)) {
        std::uint64_t const stride = ranges.size() > 1 ? ranges[1].begin - ranges[0].begin : ranges[0].count;
        select_blocks(file_space, shape, H5S_SELECT_SET, ranges[0], stride, ranges.size());
    } else {
        H5S_seloper_t how = H5S_SELECT_SET;
        for (RowRange const& range : ranges) {
            select_blocks(file_space, shape, how, range, range.count, 1);
            how = H5S_SELECT_OR;
        }
    }
    return memory_space;
}

Handle fixed_string(std::size_t size) {
    Handle type(H5Tcopy(H5T_C_S1), "H5Tcopy");
    require(H5Tset_size(type.id(), std::max<std::size_t>(size, 1)), "H5Tset_size");
    require(H5Tset_strpad(type.id(), H5T_STR_NULLPAD), "H5Tset_strpad");
    return type;
}

// Two kinds of 16 bits are in use (store/half.hpp); both have a sign in front and the mantissa at the end
std::string float_name(Handle const& type) {
    std::size_t const bits = 8 * H5Tget_size(type.id());
    if (bits != 16)
        return fmt::format("float{}", bits);
    std::size_t sign = 0, exponent_at = 0, exponent = 0, mantissa_at = 0, mantissa = 0;
    require(H5Tget_fields(type.id(), &sign, &exponent_at, &exponent, &mantissa_at, &mantissa),
            "H5Tget_fields");
    std::size_t const bias = H5Tget_ebias(type.id());
    if (exponent == 5 && mantissa == 10 && bias == 15)
        return "float16";
    return exponent == 8 && mantissa == 7 && bias == 127 ? "bfloat16" : "other";
}

// Writes in place if the attribute exists, else creates it. The object is held open meanwhile: HDF5 1.10
// loses an attribute opened by name on the file ("can't locate open attribute")
void write_attribute(Handle const& file, std::string const& object, std::string const& name,
                     Handle const& type, void const* value) {
    std::string const what = object + "@" + name;
    Handle const owner(H5Oopen(file.id(), object.c_str(), H5P_DEFAULT), object);
    Handle attribute;
    if (H5Aexists(owner.id(), name.c_str()) > 0) {
        attribute = Handle(H5Aopen(owner.id(), name.c_str(), H5P_DEFAULT), what);
    } else {
        Handle const scalar(H5Screate(H5S_SCALAR), "H5Screate");
        attribute = Handle(
            H5Acreate2(owner.id(), name.c_str(), type.id(), scalar.id(), H5P_DEFAULT, H5P_DEFAULT), what);
    }
    require(H5Awrite(attribute.id(), type.id(), value), what);
}

// An attribute of one value of a kind; empty if there is none, or it is an array or of another kind
Handle open_scalar(Handle const& file, std::string const& object, std::string const& name, H5T_class_t kind) {
    if (H5Aexists_by_name(file.id(), object.c_str(), name.c_str(), H5P_DEFAULT) <= 0)
        return {};
    Handle attribute(H5Aopen_by_name(file.id(), object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT),
                     name);
    Handle const type(H5Aget_type(attribute.id()), name);
    Handle const space(H5Aget_space(attribute.id()), name);
    bool const fits = H5Tget_class(type.id()) == kind && H5Sget_simple_extent_npoints(space.id()) == 1;
    return fits ? std::move(attribute) : Handle();
}

} // namespace

Handle::Handle(hid_t id, std::string const& what) : id_(id) {
    if (id < 0)
        fail(Exit::io, "{}: {}", what, last_reason());
}

Handle& Handle::operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
}

Handle::~Handle() {
    if (id_ >= 0)
        H5Idec_ref(id_);
}

void Handle::close() {
    if (id_ >= 0 && H5Idec_ref(std::exchange(id_, H5I_INVALID_HID)) < 0)
        fail(Exit::io, "closing an HDF5 object: {}", last_reason());
}

void require(herr_t status, std::string const& what) {
    if (status < 0)
        fail(Exit::io, "{}: {}", what, last_reason());
}

Handle open_to_read(std::filesystem::path const& path) {
    quiet();
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored))
        fail(Exit::data, "{}: no such file. Check the path", path.string());
    if (std::filesystem::is_directory(path, ignored))
        fail(Exit::data, "{}: a folder, not a file. Name the file in it", path.string());
    if (::access(path.c_str(), R_OK) != 0)
        fail(Exit::io, "{}: cannot be read (no permission). Change its mode or owner", path.string());
    if (H5Fis_hdf5(path.c_str()) <= 0)
        fail(Exit::data, "{}: not an HDF5 file, or truncated. Make it again with `assay import` or h5py",
             path.string());
    hid_t const id = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
    if (id < 0)
        fail(Exit::data, "{}: cannot be opened ({}). Is it truncated, or open for writing elsewhere?",
             path.string(), last_reason());
    return {id, path.string()};
}

Handle open_to_write(std::filesystem::path const& path, comm::Communicator const& comm) {
    quiet();
    Handle const access = access_by(comm);
    return {H5Fopen(path.c_str(), H5F_ACC_RDWR, access.id()), "opening"};
}

Handle create_file(std::filesystem::path const& path, comm::Communicator const& comm) {
    quiet();
    Handle const access = access_by(comm);
    return {H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.id()), "creating"};
}

bool exists(Handle const& file, std::string const& path) {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
        if (H5Lexists(file.id(), path.substr(0, slash).c_str(), H5P_DEFAULT) <= 0)
            return false;
    return path == "/" || H5Lexists(file.id(), path.c_str(), H5P_DEFAULT) > 0;
}

Handle open_dataset(Handle const& file, std::string const& path) {
    return {H5Dopen2(file.id(), path.c_str(), H5P_DEFAULT), path};
}

Handle create_group(Handle const& file, std::string const& path) {
    Handle const create(H5Pcreate(H5P_LINK_CREATE), "H5Pcreate");
    require(H5Pset_create_intermediate_group(create.id(), 1), "H5Pset_create_intermediate_group");
    return {H5Gcreate2(file.id(), path.c_str(), create.id(), H5P_DEFAULT, H5P_DEFAULT), path};
}

std::vector<std::string> names_in(Handle const& file, std::string const& group) {
    std::vector<std::string> names;
    if (!exists(file, group))
        return names;
    auto const collect = [](hid_t, char const* name, H5L_info_t const*, void* out) -> herr_t {
        static_cast<std::vector<std::string>*>(out)->emplace_back(name);
        return 0;
    };
    require(H5Literate_by_name(file.id(), group.c_str(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names,
                               H5P_DEFAULT),
            group);
    return names;
}

bool is_group(Handle const& file, std::string const& path) {
    Handle const object(H5Oopen(file.id(), path.c_str(), H5P_DEFAULT), path);
    return H5Iget_type(object.id()) == H5I_GROUP;
}

Shape shape_of(Handle const& dataset) {
    Handle const space(H5Dget_space(dataset.id()), "H5Dget_space");
    std::vector<hsize_t> dims(static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(space.id()))));
    H5Sget_simple_extent_dims(space.id(), dims.data(), nullptr);
    return {dims.begin(), dims.end()};
}

std::uint64_t row_size(Handle const& dataset) {
    Shape const shape = shape_of(dataset);
    std::uint64_t elements = 1;
    for (std::size_t axis = 1; axis < shape.size(); ++axis)
        elements *= shape[axis];
    return elements;
}

std::string type_name(Handle const& dataset) {
    Handle const type(H5Dget_type(dataset.id()), "H5Dget_type");
    std::size_t const bits = 8 * H5Tget_size(type.id());
    switch (H5Tget_class(type.id())) {
    case H5T_INTEGER:
        return fmt::format("{}int{}", H5Tget_sign(type.id()) == H5T_SGN_NONE ? "u" : "", bits);
    case H5T_FLOAT:
        return float_name(type);
    default:
        return "other";
    }
}

Handle create_dataset(Handle const& file, std::string const& path, hid_t type, Shape const& shape,
                      Fill fill) {
    Handle const create(H5Pcreate(H5P_DATASET_CREATE), "H5Pcreate");
    require(H5Pset_layout(create.id(), H5D_CONTIGUOUS), "H5Pset_layout");
    require(H5Pset_alloc_time(create.id(), H5D_ALLOC_TIME_EARLY), "H5Pset_alloc_time");
    require(H5Pset_obj_track_times(create.id(), false), "H5Pset_obj_track_times");
    H5T_class_t const kind = H5Tget_class(type);
    if (fill == Fill::missing && (kind == H5T_FLOAT || kind == H5T_INTEGER)) {
        // By default HDF5 leaves what the disk held where no value is set, and a flag must never be born set
        double const value = kind == H5T_FLOAT ? std::numeric_limits<double>::quiet_NaN() : 0;
        require(H5Pset_fill_value(create.id(), H5T_NATIVE_DOUBLE, &value), "H5Pset_fill_value");
        require(H5Pset_fill_time(create.id(), H5D_FILL_TIME_ALLOC), "H5Pset_fill_time");
    } else if (fill == Fill::nothing) {
        require(H5Pset_fill_time(create.id(), H5D_FILL_TIME_NEVER), "H5Pset_fill_time");
    }
    Handle const link(H5Pcreate(H5P_LINK_CREATE), "H5Pcreate");
    require(H5Pset_create_intermediate_group(link.id(), 1), "H5Pset_create_intermediate_group");
    Handle const space = dataspace(shape);
    return {H5Dcreate2(file.id(), path.c_str(), type, space.id(), link.id(), create.id(), H5P_DEFAULT), path};
}

template <>
hid_t native_type<std::uint8_t>() {
    return H5T_NATIVE_UINT8;
}
template <>
hid_t native_type<std::int64_t>() {
    return H5T_NATIVE_INT64;
}
template <>
hid_t native_type<std::uint64_t>() {
    return H5T_NATIVE_UINT64;
}
template <>
hid_t native_type<float>() {
    return H5T_NATIVE_FLOAT;
}
template <>
hid_t native_type<double>() {
    return H5T_NATIVE_DOUBLE;
}

void read_rows(Handle const& dataset, std::uint64_t begin, std::uint64_t count, hid_t type, void* out) {
    Handle const file_space(H5Dget_space(dataset.id()), "H5Dget_space");
    RowRange const range{begin, count};
    Handle const memory_space = select_rows(dataset, file_space, {&range, 1});
    require(H5Dread(dataset.id(), type, memory_space.id(), file_space.id(), H5P_DEFAULT, out),
            "reading rows");
}

void read_block(Handle const& dataset, RowRange const& rows, RowRange const& columns, hid_t type, void* out) {
    Handle const file_space(H5Dget_space(dataset.id()), "H5Dget_space");
    hsize_t const start[] = {rows.begin, columns.begin}, count[] = {rows.count, columns.count};
    require(H5Sselect_hyperslab(file_space.id(), H5S_SELECT_SET, start, nullptr, count, nullptr),
            "H5Sselect_hyperslab");
    Handle const memory_space = dataspace({rows.count, columns.count});
    require(H5Dread(dataset.id(), type, memory_space.id(), file_space.id(), H5P_DEFAULT, out),
            "reading a block");
}

std::uint32_t write_rows(Handle const& dataset, std::uint64_t begin, std::uint64_t count, hid_t type,
                         void const* in, bool collective) {
    RowRange const range{begin, count};
    return write_ranges(dataset, {&range, 1}, type, in, collective);
}

std::uint32_t write_ranges(Handle const& dataset, std::span<RowRange const> ranges, hid_t type,
                           void const* in, bool collective) {
    Handle const file_space(H5Dget_space(dataset.id()), "H5Dget_space");
    Handle const memory_space = select_rows(dataset, file_space, ranges);
    Handle const transfer(H5Pcreate(H5P_DATASET_XFER), "H5Pcreate");
    if (collective)
        require(H5Pset_dxpl_mpio(transfer.id(), H5FD_MPIO_COLLECTIVE), "H5Pset_dxpl_mpio");
    require(H5Dwrite(dataset.id(), type, memory_space.id(), file_space.id(), transfer.id(), in),
            "writing rows");
    if (!collective)
        return H5D_MPIO_SET_INDEPENDENT;
    std::uint32_t mine = 0, anyone = 0;
    require(H5Pget_mpio_no_collective_cause(transfer.id(), &mine, &anyone),
            "H5Pget_mpio_no_collective_cause");
    return anyone;
}

void write_strings(Handle const& file, std::string const& path, std::span<std::string const> values) {
    std::size_t width = 1;
    for (std::string const& value : values)
        width = std::max(width, value.size());
    std::string padded;
    for (std::string value : values) {
        value.resize(width, '\0');
        padded += value;
    }
    Handle const type = fixed_string(width);
    Handle const dataset = create_dataset(file, path, type.id(), {values.size()}, Fill::nothing);
    write_rows(dataset, 0, values.size(), type.id(), padded.data());
}

void write_string(Handle const& file, std::string const& object, std::string const& name,
                  std::string const& value, std::size_t size) {
    std::string padded = value;
    padded.resize(std::max({size, value.size(), std::size_t{1}}), '\0');
    write_attribute(file, object, name, fixed_string(padded.size()), padded.data());
}

std::optional<std::string> read_string(Handle const& file, std::string const& object,
                                       std::string const& name) {
    Handle const attribute = open_scalar(file, object, name, H5T_STRING);
    if (!attribute)
        return std::nullopt;
    Handle const type(H5Aget_type(attribute.id()), name);
    if (H5Tis_variable_str(type.id()) > 0) { // h5py's default for str
        char* text = nullptr;
        require(H5Aread(attribute.id(), type.id(), static_cast<void*>(&text)), name);
        std::string const value = text ? text : "";
        H5free_memory(text);
        return value;
    }
    std::string value(H5Tget_size(type.id()), '\0');
    require(H5Aread(attribute.id(), type.id(), value.data()), name);
    return value.substr(0, value.find('\0'));
}

std::optional<std::int64_t> read_number(Handle const& file, std::string const& object,
                                        std::string const& name) {
    Handle const attribute = open_scalar(file, object, name, H5T_INTEGER);
    if (!attribute)
        return std::nullopt;
    std::int64_t value = 0;
    require(H5Aread(attribute.id(), H5T_NATIVE_INT64, &value), name);
    return value;
}

std::optional<double> read_real(Handle const& file, std::string const& object, std::string const& name) {
    for (H5T_class_t kind : {H5T_FLOAT, H5T_INTEGER})
        if (Handle const attribute = open_scalar(file, object, name, kind)) {
            double value = 0;
            require(H5Aread(attribute.id(), H5T_NATIVE_DOUBLE, &value), name);
            return value;
        }
    return std::nullopt;
}

std::vector<std::string> attribute_names(Handle const& file, std::string const& object) {
    std::vector<std::string> names;
    auto const collect = [](hid_t, char const* name, H5A_info_t const*, void* out) -> herr_t {
        static_cast<std::vector<std::string>*>(out)->emplace_back(name);
        return 0;
    };
    require(H5Aiterate_by_name(file.id(), object.c_str(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect,
                               &names, H5P_DEFAULT),
            object);
    return names;
}

void write_number(Handle const& file, std::string const& object, std::string const& name, hid_t type,
                  void const* value) {
    write_attribute(file, object, name, Handle(H5Tcopy(type), "H5Tcopy"), value);
}

} // namespace assay::store
