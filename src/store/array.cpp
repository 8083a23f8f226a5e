#include "assay/store/array.hpp"

namespace assay::store {

namespace {

Handle creation_properties(Handle const& array) {
    return {H5Dget_create_plist(array.id()), "H5Dget_create_plist"};
}

void require_filters(Handle const& array, std::string const& where) {
    auto const properties = creation_properties(array);
    int const filters = H5Pget_nfilters(properties.id());
    for (int i = 0; i < filters; ++i) {
        char name[64] = "";
        unsigned flags = 0;
        std::size_t values = 0;
        unsigned config = 0;
        H5Z_filter_t const filter = H5Pget_filter2(properties.id(), static_cast<unsigned>(i), &flags, &values,
                                                   nullptr, sizeof name, name, &config);
        if (H5Zfilter_avail(filter) <= 0)
            fail(Exit::data,
                 "{} is compressed by filter {} '{}' (unknown to this HDF5). Write it with "
                 "compression=\"gzip\" or without compression",
                 where, filter, name);
    }
}

std::uint64_t chunks_needed(Handle const& array) {
    auto const shape = shape_of(array);
    std::vector<hsize_t> chunk(shape.size());
    require(H5Pget_chunk(creation_properties(array).id(), static_cast<int>(chunk.size()), chunk.data()),
            "H5Pget_chunk");
    std::uint64_t chunks = 1;
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
        chunks *= (shape[axis] - 1) / chunk[axis] + 1;
    return chunks;
}

// The array itself and every group on the way
void require_hard_links(Handle const& file, std::string const& name, std::string const& where) {
    for (std::size_t end = 0; end != std::string::npos;) {
        end = name.find('/', end + 1);
        std::string const part = name.substr(0, end);
        H5L_info_t link;
        require(H5Lget_info(file.id(), part.c_str(), &link, H5P_DEFAULT), part);
        if (link.type != H5L_TYPE_HARD)
            fail(Exit::data,
                 "{} is a soft or external link (the file must hold its arrays itself). Copy the array in",
                 where);
    }
}

} // namespace

Handle open_array(Handle const& file, std::filesystem::path const& path, std::string const& name) {
    std::string const where = fmt::format("{}: {}", path.string(), name);
    if (!exists(file, name))
        fail(Exit::data, "{} is missing. See docs/data.md and docs/results.md for what the file must hold",
             where);
    require_hard_links(file, name, where);
    Handle const object(H5Oopen(file.id(), name.c_str(), H5P_DEFAULT), name);
    if (H5Iget_type(object.id()) != H5I_DATASET)
        fail(Exit::data,
             "{} is a group (an array is expected). See docs/data.md and docs/results.md for what the file "
             "must hold",
             where);
    auto array = open_dataset(file, name);
    auto const properties = creation_properties(array);
    if (H5Pget_layout(properties.id()) == H5D_VIRTUAL || H5Pget_external_count(properties.id()) > 0)
        fail(Exit::data, "{} keeps its values in other files (the file must hold them itself). Copy them in",
             where);
    require_filters(array, where);
    return array;
}

void require_written(Handle const& array, std::filesystem::path const& path, std::string const& name) {
    std::string const where = fmt::format("{}: {}", path.string(), name);
    if (H5Pget_layout(creation_properties(array).id()) == H5D_CHUNKED) {
        Handle const space(H5Dget_space(array.id()), "H5Dget_space");
        hsize_t chunks = 0;
        require(H5Dget_num_chunks(array.id(), space.id(), &chunks), "H5Dget_num_chunks");
        std::uint64_t const needed = chunks_needed(array);
        if (chunks < needed)
            fail(Exit::data, "{} is incomplete (only {} of its {} chunks were written). Write all of it",
                 where, chunks, needed);
    } else if (H5Dget_storage_size(array.id()) == 0) {
        fail(Exit::data, "{} is empty (declared, but never written). Write all of it", where);
    }
}

} // namespace assay::store
