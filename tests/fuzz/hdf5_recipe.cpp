#include "hdf5_recipe.hpp"

#include <array>
#include <limits>
#include <numeric>
#include <vector>

namespace assay::fuzz {

namespace {

using store::Handle;
using store::Shape;

constexpr std::uint64_t kMostBytes = 1 << 16; // what is really stored stays small

Handle derived_type(unsigned which) {
    switch (which) {
    case 0: { // 'layout' as h5py writes a str
        Handle text(H5Tcopy(H5T_C_S1), "H5Tcopy");
        H5Tset_size(text.id(), H5T_VARIABLE);
        return text;
    }
    case 1: {
        Handle text(H5Tcopy(H5T_C_S1), "H5Tcopy");
        H5Tset_size(text.id(), 4);
        return text;
    }
    case 2: {
        Handle compound(H5Tcreate(H5T_COMPOUND, 16), "H5Tcreate");
        H5Tinsert(compound.id(), "id", 0, H5T_NATIVE_UINT64);
        H5Tinsert(compound.id(), "value", 8, H5T_NATIVE_DOUBLE);
        return compound;
    }
    case 3:
        return {H5Tvlen_create(H5T_NATIVE_INT64), "H5Tvlen_create"};
    case 4: {
        hsize_t const two = 2;
        return {H5Tarray_create2(H5T_NATIVE_FLOAT, 1, &two), "H5Tarray_create2"};
    }
    case 5:
        return {H5Tenum_create(H5T_NATIVE_INT64), "H5Tenum_create"};
    case 6: {
        Handle narrow(H5Tcopy(H5T_NATIVE_INT64), "H5Tcopy");
        H5Tset_precision(narrow.id(), 5);
        return narrow;
    }
    default: {
        Handle narrow(H5Tcopy(H5T_NATIVE_FLOAT), "H5Tcopy");
        H5Tset_fields(narrow.id(), 15, 10, 5, 0, 10);
        H5Tset_precision(narrow.id(), 16);
        H5Tset_ebias(narrow.id(), 15);
        return narrow;
    }
    }
}

Handle some_type(Bytes& bytes, hid_t wanted) {
    std::array<hid_t, 16> const plain{
        H5T_NATIVE_UINT8, H5T_NATIVE_INT8,   H5T_NATIVE_INT64,   H5T_NATIVE_UINT64,
        H5T_NATIVE_FLOAT, H5T_NATIVE_DOUBLE, H5T_STD_I64BE,      H5T_STD_U64BE,
        H5T_IEEE_F32BE,   H5T_IEEE_F64BE,    H5T_STD_B64LE,      H5T_NATIVE_OPAQUE,
        H5T_STD_REF_OBJ,  H5T_NATIVE_INT32,  H5T_NATIVE_LDOUBLE, H5T_UNIX_D32LE};
    unsigned const which = bytes.below(64);
    if (which < plain.size())
        return {H5Tcopy(plain[which]), "H5Tcopy"};
    if (which < plain.size() + 8)
        return derived_type(which - plain.size());
    return {H5Tcopy(wanted), "H5Tcopy"};
}

std::uint64_t some_extent(Bytes& bytes, std::uint64_t wanted) {
    std::array<std::uint64_t, 8> const extents{0,       1,          wanted + 1,       2 * wanted,
                                               1 << 20, 1ULL << 33, (1ULL << 61) + 3, 1ULL << 63};
    unsigned const which = bytes.below(64);
    return which < extents.size() ? extents[which] : wanted;
}

Shape some_shape(Bytes& bytes, Shape shape) {
    unsigned const how = bytes.below(32);
    if (how == 0)
        return {};
    if (how == 1)
        shape.push_back(bytes.below(3));
    if (how == 2)
        shape.pop_back();
    if (how == 3)
        shape.insert(shape.begin(), 32 - shape.size(), 1); // as many axes as HDF5 allows
    for (auto& extent : shape)
        extent = some_extent(bytes, extent);
    return shape;
}

// Nothing where that is more than kMostBytes
std::uint64_t bytes_of(Shape const& shape, Handle const& type) {
    std::uint64_t bytes = H5Tget_size(type.id());
    for (auto const extent : shape)
        if (__builtin_mul_overflow(bytes, extent, &bytes))
            return std::numeric_limits<std::uint64_t>::max();
    return bytes;
}

// How the array is stored: chunked, compressed, compact, in another file, or plainly
Handle some_storage(Bytes& bytes, Shape const& shape, bool small) {
    Handle create(H5Pcreate(H5P_DATASET_CREATE), "H5Pcreate");
    unsigned const how = bytes.below(16);
    if (how < 4 && !shape.empty()) {
        std::vector<hsize_t> chunk(shape.size(), 1);
        chunk[0] = 1 + bytes.below(4);
        H5Pset_chunk(create.id(), static_cast<int>(chunk.size()), chunk.data());
        if (how == 1)
            H5Pset_deflate(create.id(), 1);
        if (how == 2)
            H5Pset_scaleoffset(create.id(), H5Z_SO_INT, 0);
    } else if (how == 4) {
        H5Pset_layout(create.id(), H5D_COMPACT);
    } else if (how == 5) {
        H5Pset_external(create.id(), scratch("elsewhere.bin").c_str(), 0, H5F_UNLIMITED);
    }
    if (small && bytes.below(2))
        H5Pset_alloc_time(create.id(), H5D_ALLOC_TIME_EARLY);
    return create;
}

// Numbers from the recipe, of the type that the contract wants; HDF5 converts them where it can
void write_some(Handle const& array, Bytes& bytes, Wanted const& wanted, std::uint64_t elements) {
    auto const how = bytes.below(16);
    if (how == 0)
        return;
    std::vector<double> values(elements);
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = H5Tget_class(wanted.type) == H5T_FLOAT
                        ? std::sin(static_cast<double>(bytes.byte() + 300 * i))
                        : static_cast<double>(i);
    std::array<double, 6> const odd{std::numeric_limits<double>::quiet_NaN(),
                                    std::numeric_limits<double>::infinity(),
                                    -1,
                                    3e38,
                                    1e300,
                                    0};
    if (how < 5 && !values.empty())
        values[bytes.byte() % values.size()] = odd[bytes.below(odd.size())];
    if (how == 5)
        std::fill(values.begin(), values.end(), values.empty() ? 0 : values[0]);
    H5Dwrite(array.id(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
}

void add_dataset(Handle const& file, Bytes& bytes, Wanted const& wanted) {
    Handle const type = some_type(bytes, wanted.type);
    Shape const shape = some_shape(bytes, wanted.shape);
    bool const small = bytes_of(shape, type) <= kMostBytes;
    std::vector<hsize_t> const extents(shape.begin(), shape.end());
    hid_t const space = bytes.below(64) == 0
                            ? H5Screate(H5S_NULL)
                            : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
    Handle const space_handle(space, "H5Screate_simple");
    Handle const link(H5Pcreate(H5P_LINK_CREATE), "H5Pcreate");
    H5Pset_create_intermediate_group(link.id(), 1);
    Handle const create = some_storage(bytes, shape, small);
    hid_t const made =
        H5Dcreate2(file.id(), wanted.name, type.id(), space, link.id(), create.id(), H5P_DEFAULT);
    if (made < 0)
        return; // a combination that HDF5 does not know
    Handle const array(made, "H5Dcreate2");
    hssize_t const elements = H5Sget_simple_extent_npoints(space);
    if (small && elements > 0)
        write_some(array, bytes, wanted, static_cast<std::uint64_t>(elements));
}

} // namespace

void add_array(Handle const& file, Bytes& bytes, Wanted const& wanted) {
    Handle const link(H5Pcreate(H5P_LINK_CREATE), "H5Pcreate");
    H5Pset_create_intermediate_group(link.id(), 1);
    switch (bytes.below(64)) {
    case 0:
        return;
    case 1:
        Handle(H5Gcreate2(file.id(), wanted.name, link.id(), H5P_DEFAULT, H5P_DEFAULT), wanted.name);
        return;
    case 2:
        H5Lcreate_soft("/samples", file.id(), wanted.name, link.id(), H5P_DEFAULT);
        return;
    case 3:
        H5Lcreate_external("other.h5", "/samples", file.id(), wanted.name, link.id(), H5P_DEFAULT);
        return;
    case 4:
        H5Lcreate_hard(file.id(), "/", file.id(), wanted.name, link.id(), H5P_DEFAULT);
        return;
    case 5: {
        Handle const type(H5Tcopy(H5T_NATIVE_FLOAT), "H5Tcopy");
        H5Tcommit2(file.id(), wanted.name, type.id(), link.id(), H5P_DEFAULT, H5P_DEFAULT);
        return;
    }
    default:
        add_dataset(file, bytes, wanted);
    }
}

void add_text(Handle const& file, Bytes& bytes, std::string const& object, char const* name,
              std::string const& wanted) {
    unsigned const how = bytes.below(16);
    if (how == 0 || !store::exists(file, object))
        return;
    hid_t const found = H5Oopen(file.id(), object.c_str(), H5P_DEFAULT);
    if (found < 0)
        return; // a link to nowhere
    Handle const owner(found, object);
    if (how > 5) {
        std::string const text = how == 6 ? std::string(bytes.some(bytes.below(32))) : wanted;
        return store::write_string(file, object, name, text);
    }
    // An attribute of another type and shape, of zeros
    Handle const type = some_type(bytes, H5T_NATIVE_FLOAT);
    std::array<hsize_t, 2> const extents{bytes.below(4), 2};
    Handle const space(how == 1 ? H5Screate(H5S_NULL)
                                : H5Screate_simple(how == 2 ? 2 : 1, extents.data(), nullptr),
                       "H5Screate");
    hid_t const made = H5Acreate2(owner.id(), name, type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT);
    if (made >= 0)
        Handle const attribute(made, "H5Acreate2");
}

} // namespace assay::fuzz
