#include "data/jpeg.hpp"

#include "assay/base/error.hpp"

#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include <turbojpeg.h>

namespace assay::data {

namespace {

using Decoder = std::unique_ptr<void, int (*)(tjhandle)>;

Decoder make_decoder() {
    return {tjInitDecompress(), tjDestroy};
}

std::string contents(std::filesystem::path const& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

unsigned char const* bytes_of(std::string const& file) {
    return reinterpret_cast<unsigned char const*>(file.data());
}

} // namespace

bool is_jpeg(std::filesystem::path const& path) {
    char start[3] = "";
    std::ifstream(path, std::ios::binary).read(start, sizeof start);
    return std::string(start, sizeof start) == "\xFF\xD8\xFF";
}

store::Shape jpeg_shape(std::filesystem::path const& path) {
    Decoder const decoder = make_decoder();
    std::string const file = contents(path);
    int width = 0, height = 0, subsampling = 0, colours = 0;
    if (tjDecompressHeader3(decoder.get(), bytes_of(file), file.size(), &width, &height, &subsampling,
                            &colours))
        fail(Exit::data, "{}: not a PNG or JPEG image that can be read ({}). Replace or remove it",
             path.string(), tjGetErrorStr2(decoder.get()));
    if (colours == TJCS_CMYK || colours == TJCS_YCCK)
        fail(Exit::data, "{}: holds CMYK colours (grey or RGB is expected). Convert it", path.string());
    return {colours == TJCS_GRAY ? 1U : 3U, static_cast<std::uint64_t>(height),
            static_cast<std::uint64_t>(width)};
}

std::vector<std::byte> read_jpeg(std::filesystem::path const& path, store::Shape const& shape) {
    Decoder const decoder = make_decoder();
    std::string const file = contents(path);
    std::vector<std::byte> pixels(shape[0] * shape[1] * shape[2]);
    // A file of a few KiB may ask for so many passes over so many pixels that it takes hours, hence the limit
    constexpr int kFlags = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS;
    if (tjDecompress2(decoder.get(), bytes_of(file), file.size(),
                      reinterpret_cast<unsigned char*>(pixels.data()), static_cast<int>(shape[2]), 0,
                      static_cast<int>(shape[1]), shape[0] == 1 ? TJPF_GRAY : TJPF_RGB, kFlags))
        fail(Exit::data, "{}: cannot be decoded ({}). Replace or remove it", path.string(),
             tjGetErrorStr2(decoder.get()));
    return pixels;
}

} // namespace assay::data
