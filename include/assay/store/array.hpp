//! Opening one array of a file that others may have written, and making sure that the file itself holds all
//! of it.
#pragma once

#include "assay/store/hdf5.hpp"

#include <filesystem>
#include <string>

namespace assay::store {

//! Local. Opens the array at an absolute `name`; Error(data) if it is missing, a group, behind a link, or
//! keeps its values in other files (the file's SHA-256 must cover them), or is compressed by a filter that
//! this HDF5 lacks.
Handle open_array(Handle const& file, std::filesystem::path const& path, std::string const& name);

//! Local. Error(data) if part of the array was declared but never written: it would read as zeros, and might
//! claim any size.
void require_written(Handle const& array, std::filesystem::path const& path, std::string const& name);

//! Local. Error(io) from `action` gets the file's name in front, `remedy` behind, and the given code: HDF5
//! cannot tell a damaged file from a failing disk.
template <class Action>
auto in_file(std::filesystem::path const& path, Exit code, char const* remedy, Action action) {
    try {
        return action();
    } catch (Error const& error) {
        if (error.code() != Exit::io)
            throw;
        fail(code, "{}: {}. {}", path.string(), error.what(), remedy);
    }
}

} // namespace assay::store
