#include "assay/store/whole_file.hpp"

#include "assay/store/array.hpp"
#include "assay/store/result_file.hpp"

namespace assay::store {

void write_whole_file(std::filesystem::path const& path,
                      std::function<void(Handle const& file)> const& fill) {
    std::filesystem::path const fresh = path.string() + ".new";
    Handle file;
    try {
        in_file(fresh, Exit::io, "Free space, or choose another --output", [&] {
            file = create_file(fresh);
            fill(file);
            require(H5Fflush(file.id(), H5F_SCOPE_GLOBAL), "flushing");
            file.close();
        });
    } catch (Error const& error) {
        if (error.code() == Exit::io)
            file.abandon(); // closing would write, and fail, again
        file.close();
        std::error_code ignored;
        std::filesystem::remove(fresh, ignored);
        throw;
    }
    sync_to_disk(fresh);
    std::error_code error;
    std::filesystem::rename(fresh, path, error);
    if (error)
        fail(Exit::io, "{}: cannot be renamed to {} ({}). Check the permissions", fresh.string(),
             path.string(), error.message());
    sync_to_disk(std::filesystem::absolute(path).parent_path());
}

} // namespace assay::store
