#include "data/image.hpp"
#include "data/source.hpp"

#include <algorithm>

namespace assay::data {

namespace {

namespace fs = std::filesystem;

bool is_hidden(fs::path const& path) {
    return path.filename().string().starts_with('.');
}

// Names of the sub-folders in byte order
std::vector<std::string> class_folders(fs::path const& root) {
    std::vector<std::string> names;
    for (auto const& entry : fs::directory_iterator(root)) {
        if (is_hidden(entry.path()))
            continue;
        if (!entry.is_directory())
            fail(Exit::data, "{}: is no folder ({} must hold one folder of images per class). Move it away",
                 entry.path().string(), root.string());
        names.push_back(entry.path().filename().string());
    }
    if (names.empty())
        fail(Exit::data, "{}: holds no samples (one folder of images per class is expected). Check the path",
             root.string());
    std::sort(names.begin(), names.end());
    return names;
}

// Names of the images of one class in byte order
std::vector<std::string> images_in(fs::path const& folder) {
    std::vector<std::string> names;
    for (auto const& entry : fs::directory_iterator(folder)) {
        if (is_hidden(entry.path()))
            continue;
        if (!is_image(entry.path()) || !entry.is_regular_file())
            fail(Exit::data, "{}: is no .png, .jpg or .jpeg file. Convert it or move it away",
                 entry.path().string());
        names.push_back(entry.path().filename().string());
    }
    if (names.empty())
        fail(Exit::data, "{}: class folder without images (each class needs at least one). Fill or remove it",
             folder.string());
    std::sort(names.begin(), names.end());
    return names;
}

// Holds the file names of one class at a time
class ImageFolder : public Source {
  public:
    explicit ImageFolder(fs::path root) : root_(std::move(root)) {
        kind = "image folder";
        classes = class_folders(root_);
        for (auto const& name : classes)
            info.size += images_in(root_ / name).size();
        images_ = images_in(root_ / classes[0]);
        first_ = root_ / classes[0] / images_[0];
        info.sample_shape = image_shape(first_);
        info.has_labels = true;
        has_names = true;
    }

    void read(std::span<std::byte> values, std::span<std::int64_t> labels) override {
        auto const bytes = info.sample_bytes();
        names.clear();
        for (std::size_t i = 0; i < labels.size(); ++i) {
            if (next_image_ == images_.size()) {
                if (++class_ == classes.size())
                    fail(Exit::data, "{}: images disappeared during the import. Start again", root_.string());
                images_ = images_in(root_ / classes[class_]);
                next_image_ = 0;
            }
            names.push_back(classes[class_] + "/" + images_[next_image_++]);
            read_image(root_ / names.back(), info.sample_shape, first_, values.subspan(i * bytes, bytes));
            labels[i] = static_cast<std::int64_t>(class_);
        }
    }

  private:
    fs::path root_, first_;
    std::size_t class_ = 0, next_image_ = 0;
    std::vector<std::string> images_;
};

} // namespace

std::unique_ptr<Source> open_image_folder(fs::path const& folder) {
    return std::make_unique<ImageFolder>(folder);
}

} // namespace assay::data
