#include "data/npy_header.hpp"
#include "data/source.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

static_assert(std::endian::native == std::endian::little, ".npy values are copied as they are");

namespace assay::data {

namespace {

// Axes of the data set's samples, and the layout that goes with them
void set_shape(DatasetInfo& info, store::Shape const& shape, std::string const& path) {
    bool const empty = std::ranges::count(shape, 0U) > 0;
    if (shape.size() < 2 || shape.size() > 4 || empty)
        fail(Exit::data, "{}: has shape {} (must be [N,F], [N,H,W] or [N,C,H,W] and not empty). Reshape it",
             path, shape.empty() ? "()" : shape_text(shape));
    if (shape.size() == 4 && shape[1] == shape[2] && shape[1] > 4 && shape[3] <= 4)
        fail(Exit::data,
             "{}: shape {} has its channels last (must be [N,C,H,W]). Save x.transpose(0, 3, 1, 2).copy()",
             path, shape_text(shape));
    info.size = shape[0];
    info.sample_shape.assign(shape.begin() + 1, shape.end());
    if (shape.size() == 3)
        info.sample_shape.insert(info.sample_shape.begin(), 1);
    info.layout = shape.size() == 2 ? "NC" : "NCHW";
}

template <class Stored>
void widen(std::vector<std::byte> const& raw, std::span<std::int64_t> labels) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
        Stored value;
        std::memcpy(&value, raw.data() + i * sizeof value, sizeof value);
        labels[i] = value;
    }
}

// Labels of type <i8, <i4 or |u1
class NpyLabels {
  public:
    NpyLabels(std::filesystem::path const& path, std::uint64_t size, std::filesystem::path const& samples)
        : file_(path), header_(read_npy_header(file_)) {
        if (header_.type != "<i8" && header_.type != "<i4" && header_.type != "|u1")
            fail(Exit::data,
                 "{}: labels of type '{}' (must be int64, int32 or uint8). Save labels.astype(\"int64\")",
                 path.string(), header_.type);
        if (header_.shape.size() != 1)
            fail(Exit::data, "{}: labels with {} axes (must be [N]). Save labels.reshape(-1)", path.string(),
                 header_.shape.size());
        if (header_.shape[0] != size)
            fail(Exit::data, "{}: {} labels for the {} samples of {}. Are they of one set?", path.string(),
                 header_.shape[0], size, samples.string());
    }

    void read(std::span<std::int64_t> labels) {
        raw_.resize(labels.size() * static_cast<std::size_t>(header_.type[2] - '0'));
        file_.read(raw_);
        if (header_.type == "<i8")
            widen<std::int64_t>(raw_, labels);
        else if (header_.type == "<i4")
            widen<std::int32_t>(raw_, labels);
        else
            widen<std::uint8_t>(raw_, labels);
    }

    void require_end() { file_.require_end(); }

  private:
    InputFile file_;
    NpyHeader header_;
    std::vector<std::byte> raw_;
};

class Npy : public Source {
  public:
    Npy(std::filesystem::path const& samples, std::filesystem::path const& labels) : file_(samples) {
        kind = "NumPy";
        auto const header = read_npy_header(file_);
        if (header.type != "|u1" && header.type != "<f4")
            fail(Exit::data,
                 "{}: samples of type '{}' (must be uint8 or float32). Save x.astype(\"float32\")",
                 samples.string(), header.type);
        info.type = header.type == "|u1" ? SampleType::uint8 : SampleType::float32;
        set_shape(info, header.shape, samples.string());
        info.has_labels = !labels.empty();
        if (info.has_labels)
            labels_.emplace(labels, info.size, samples);
    }

    void read(std::span<std::byte> values, std::span<std::int64_t> labels) override {
        file_.read(values);
        if (labels_)
            labels_->read(labels);
        done_ += values.size() / info.sample_bytes();
        if (done_ == info.size) {
            file_.require_end();
            if (labels_)
                labels_->require_end();
        }
    }

  private:
    InputFile file_;
    std::optional<NpyLabels> labels_;
    std::uint64_t done_ = 0;
};

} // namespace

std::unique_ptr<Source> open_npy(ImportRequest const& request) {
    return std::make_unique<Npy>(request.source, request.labels);
}

} // namespace assay::data
