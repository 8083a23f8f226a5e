#include "data/csv.hpp"
#include "data/image.hpp"
#include "data/source.hpp"

#include <charconv>

namespace assay::data {

namespace {

struct Entry {
    std::filesystem::path image;
    std::string name; // of the image, as the manifest has it
    std::int64_t label = 0;
};

// The lines of a manifest as images and labels
class Manifest {
  public:
    explicit Manifest(std::filesystem::path path)
        : path_(std::move(path)), csv_(path_), label_column_(csv_.column("label")) {
        auto const column = csv_.column("path");
        if (!column)
            fail(Exit::data, "{}: no column named 'path' in the header. Start it with path,label",
                 path_.string());
        path_column_ = *column;
    }

    bool has_labels() const { return label_column_.has_value(); }

    std::optional<Entry> next() {
        auto const fields = csv_.next();
        if (!fields)
            return std::nullopt;
        auto const& image = (*fields)[path_column_];
        if (image.empty())
            fail(Exit::data, "{}: line {}: the path is empty. Correct or remove it", path_.string(),
                 csv_.line());
        return Entry{path_.parent_path() / image, image,
                     label_column_ ? label((*fields)[*label_column_]) : 0};
    }

  private:
    std::int64_t label(std::string const& text) const {
        std::int64_t value = 0;
        auto const end = text.data() + text.size();
        auto const [stop, error] = std::from_chars(text.data(), end, value);
        if (error != std::errc() || stop != end || value < 0)
            fail(Exit::data, "{}: line {}: label '{}' is no integer from 0 on. Number the classes from 0",
                 path_.string(), csv_.line(), text);
        return value;
    }

    std::filesystem::path path_;
    CsvReader csv_;
    std::size_t path_column_ = 0;
    std::optional<std::size_t> label_column_;
};

class CsvManifest : public Source {
  public:
    explicit CsvManifest(std::filesystem::path const& path) : path_(path), manifest_(path) {
        kind = "CSV manifest";
        for (Manifest all(path); auto const entry = all.next(); ++info.size)
            if (info.size == 0)
                first_ = entry->image;
        if (info.size == 0)
            fail(Exit::data, "{}: holds no samples (nothing follows the header). Add one line per image",
                 path.string());
        info.sample_shape = image_shape(first_);
        info.has_labels = manifest_.has_labels();
        has_names = true;
    }

    void read(std::span<std::byte> values, std::span<std::int64_t> labels) override {
        auto const bytes = info.sample_bytes();
        names.clear();
        for (std::size_t i = 0; i < values.size() / bytes; ++i) {
            auto const entry = manifest_.next();
            if (!entry)
                fail(Exit::data, "{}: lines disappeared during the import. Start again", path_.string());
            names.push_back(entry->name);
            read_image(entry->image, info.sample_shape, first_, values.subspan(i * bytes, bytes));
            if (info.has_labels)
                labels[i] = entry->label;
        }
    }

  private:
    std::filesystem::path path_, first_;
    Manifest manifest_;
};

} // namespace

std::unique_ptr<Source> open_csv_manifest(std::filesystem::path const& manifest) {
    return std::make_unique<CsvManifest>(manifest);
}

} // namespace assay::data
