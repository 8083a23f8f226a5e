// IDX: big-endian magic 0x00 0x00 type dimensions, the extents, then the values (yann.lecun.com/exdb/mnist)
#include "data/input_file.hpp"
#include "data/source.hpp"

#include <array>

namespace assay::data {

namespace {

constexpr std::uint32_t kImages = 0x00000803; // unsigned bytes, 3 dimensions
constexpr std::uint32_t kLabels = 0x00000801;

std::uint32_t read_big_endian(InputFile& file) {
    std::array<std::byte, 4> bytes;
    file.read(bytes);
    std::uint32_t value = 0;
    for (auto const byte : bytes)
        value = value << 8 | std::to_integer<std::uint32_t>(byte);
    return value;
}

void require_magic(InputFile& file, std::uint32_t expected, char const* what) {
    auto const magic = read_big_endian(file);
    if (magic != expected)
        fail(Exit::data, "{}: starts with {:#010x} ({:#010x} is expected: {}). Is it the right file?",
             file.path().string(), magic, expected, what);
}

std::filesystem::path labels_beside(std::filesystem::path const& images) {
    std::string name = images.filename().string();
    for (std::string const separator : {"-", "."}) { // "train-images-idx3-ubyte", "train-images.idx3-ubyte"
        std::string const part = "images" + separator + "idx3";
        if (auto const at = name.find(part); at != std::string::npos) {
            auto const path =
                images.parent_path() / name.replace(at, part.size(), "labels" + separator + "idx1");
            std::error_code error;
            if (std::filesystem::exists(path, error))
                return path;
            fail(Exit::data, "{}: no labels beside it ({} does not exist). Give them with --labels",
                 images.string(), path.string());
        }
    }
    fail(Exit::data,
         "{}: its labels cannot be found by name (no 'images-idx3' in it). Give them with --labels",
         images.string());
}

class Idx : public Source {
  public:
    Idx(std::filesystem::path const& images, std::filesystem::path const& labels)
        : images_(images), labels_(labels) {
        kind = "IDX";
        require_magic(images_, kImages, "images of unsigned bytes");
        info.size = read_big_endian(images_);
        std::uint64_t const height = read_big_endian(images_);
        std::uint64_t const width = read_big_endian(images_);
        info.sample_shape = {1, height, width};
        info.has_labels = true;
        std::uint64_t bytes = 0;
        if (info.size == 0 || height == 0 || width == 0 ||
            __builtin_mul_overflow(info.size, height * width, &bytes))
            fail(Exit::data, "{}: holds {} images of {}x{} (impossible). Get it again", images.string(),
                 info.size, height, width);
        images_.require_rest(bytes);
        require_magic(labels_, kLabels, "labels of unsigned bytes");
        std::uint64_t const count = read_big_endian(labels_);
        if (count != info.size)
            fail(Exit::data, "{}: {} labels for the {} images of {}. Are they of one set?", labels.string(),
                 count, info.size, images.string());
        labels_.require_rest(count);
    }

    void read(std::span<std::byte> values, std::span<std::int64_t> labels) override {
        images_.read(values);
        raw_.resize(labels.size());
        labels_.read(raw_);
        for (std::size_t i = 0; i < labels.size(); ++i)
            labels[i] = std::to_integer<std::int64_t>(raw_[i]);
        done_ += labels.size();
        if (done_ == info.size) {
            images_.require_end();
            labels_.require_end();
        }
    }

  private:
    InputFile images_, labels_;
    std::vector<std::byte> raw_;
    std::uint64_t done_ = 0;
};

} // namespace

bool is_idx(std::filesystem::path const& path) {
    auto const name = path.filename().string();
    if (name.find("idx") != std::string::npos && name.find("ubyte") != std::string::npos)
        return true;
    try {
        InputFile file(path);
        return read_big_endian(file) == kImages;
    } catch (Error const&) { // too short or damaged: some other thing
        return false;
    }
}

std::unique_ptr<Source> open_idx(ImportRequest const& request) {
    return std::make_unique<Idx>(request.source,
                                 request.labels.empty() ? labels_beside(request.source) : request.labels);
}

} // namespace assay::data
