// Runs a fuzz target on kept inputs, where there is no libFuzzer: fuzz_x FILE|FOLDER...
#include "fuzz.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

namespace fs = std::filesystem;

int main(int argc, char** argv) {
    std::vector<fs::path> files;
    for (fs::path const path : std::span(argv, static_cast<std::size_t>(argc)).subspan(1)) {
        if (fs::is_directory(path))
            std::copy(fs::directory_iterator(path), {}, std::back_inserter(files));
        else
            files.push_back(path);
    }
    std::sort(files.begin(), files.end());
    for (auto const& path : files) {
        std::ifstream file(path, std::ios::binary);
        std::string const bytes{std::istreambuf_iterator<char>(file), {}};
        std::fprintf(stderr, "%s\n", path.c_str()); // the last one is the one that fails
        LLVMFuzzerTestOneInput(reinterpret_cast<std::uint8_t const*>(bytes.data()), bytes.size());
    }
    std::fprintf(stderr, "%zu inputs without a finding\n", files.size());
    return files.empty() ? 1 : 0;
}
