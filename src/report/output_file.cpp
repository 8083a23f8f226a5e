#include "assay/report/output_file.hpp"

#include "assay/base/error.hpp"
#include "assay/store/result_file.hpp"

#include <fstream>
#include <sstream>

namespace assay::report {

void write_output_file(std::filesystem::path const& path, std::string_view content, bool overwrite) {
    if (std::ifstream existing(path, std::ios::binary); existing && !overwrite) {
        std::ostringstream old;
        old << existing.rdbuf();
        if (old.str() != content)
            fail(Exit::usage,
                 "{} exists with other numbers (nothing is overwritten unasked). Use --output or --overwrite",
                 path.string());
    }
    std::error_code error; // a folder that cannot be made shows when the file is opened
    std::filesystem::create_directories(path.parent_path(), error);
    std::filesystem::path const temporary = path.string() + ".new";
    std::ofstream file(temporary, std::ios::binary);
    file << content;
    file.close();
    if (file)
        store::sync_to_disk(temporary);
    if (file)
        std::filesystem::rename(temporary, path, error);
    if (!file || error)
        fail(Exit::io, "{}: cannot be written (disk full, or no permission). Free space or use --output",
             temporary.string());
}

} // namespace assay::report
