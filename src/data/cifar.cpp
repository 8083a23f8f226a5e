// CIFAR binary version: records of one label (CIFAR-10) or coarse and fine label (CIFAR-100), then 3x32x32
// bytes (cs.toronto.edu/~kriz/cifar.html)
#include "assay/base/log.hpp"
#include "data/input_file.hpp"
#include "data/source.hpp"

#include <algorithm>

namespace assay::data {

namespace {

constexpr std::uint64_t kImageBytes = 3 * 32 * 32;

struct Format {
    char const* name;
    std::uint64_t label_bytes;
    std::int64_t classes;

    std::uint64_t record_bytes() const { return label_bytes + kImageBytes; }
};

constexpr Format kCifar10{"CIFAR-10", 1, 10};
constexpr Format kCifar100{"CIFAR-100", 2, 100};

// By size; where both record sizes divide it (a multiple of 3073 x 3074 bytes), by the official names
Format format_of(std::filesystem::path const& path) {
    auto const size = std::filesystem::file_size(path);
    bool const ten = size % kCifar10.record_bytes() == 0;
    bool const hundred = size % kCifar100.record_bytes() == 0;
    if (size == 0 || (!ten && !hundred))
        fail(Exit::data,
             "{}: {} bytes are no whole number of CIFAR-10 (3073) or CIFAR-100 (3074) records. Get it again",
             path.string(), size);
    if (ten && hundred) {
        auto const name = path.filename().string();
        return name == "train.bin" || name == "test.bin" ||
                       path.string().find("cifar-100") != std::string::npos
                   ? kCifar100
                   : kCifar10;
    }
    return ten ? kCifar10 : kCifar100;
}

bool is_test(std::filesystem::path const& path) {
    return path.filename().string().starts_with("test");
}

// In name order; test batches are left out, so that training and test data are not mixed unnoticed
std::vector<std::filesystem::path> batches(std::filesystem::path const& file_or_folder) {
    if (!std::filesystem::is_directory(file_or_folder))
        return {file_or_folder};
    std::vector<std::filesystem::path> files;
    for (auto const& entry : std::filesystem::directory_iterator(file_or_folder))
        if (entry.path().extension() == ".bin")
            files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    if (std::all_of(files.begin(), files.end(), is_test))
        return files;
    for (auto const& file : files)
        if (is_test(file))
            spdlog::warn("{}: left out (a test batch in a folder of training batches). Import it on its own",
                         file.string());
    std::erase_if(files, is_test);
    return files;
}

class Cifar : public Source {
  public:
    explicit Cifar(std::vector<std::filesystem::path> files)
        : files_(std::move(files)), format_(format_of(files_.front())) {
        for (auto const& file : files_) {
            auto const format = format_of(file);
            if (format.label_bytes != format_.label_bytes)
                fail(Exit::data, "{}: holds {} records, {} holds {}. Import them one by one", file.string(),
                     format.name, files_.front().string(), format_.name);
            info.size += std::filesystem::file_size(file) / format_.record_bytes();
        }
        kind = format_.name;
        info.sample_shape = {3, 32, 32};
        info.has_labels = true;
        record_.resize(format_.record_bytes());
    }

    void read(std::span<std::byte> values, std::span<std::int64_t> labels) override {
        for (std::size_t i = 0; i < labels.size(); ++i) {
            read_record();
            labels[i] =
                std::to_integer<std::int64_t>(record_[format_.label_bytes - 1]); // the fine one is last
            if (labels[i] >= format_.classes)
                fail(Exit::data,
                     "{}: record {} has label {} ({} has {} classes). Is it the right kind of file?",
                     file_->path().string(), done_in_file_ - 1, labels[i], format_.name, format_.classes);
            std::copy_n(record_.begin() + static_cast<std::ptrdiff_t>(format_.label_bytes), kImageBytes,
                        values.begin() + static_cast<std::ptrdiff_t>(i * kImageBytes));
        }
    }

  private:
    void read_record() {
        while (!file_ || done_in_file_ == in_file_) {
            file_ = std::make_unique<InputFile>(files_.at(next_file_++));
            done_in_file_ = 0;
            in_file_ = std::filesystem::file_size(file_->path()) / format_.record_bytes();
        }
        file_->read(record_);
        if (++done_in_file_ == in_file_)
            file_->require_end(); // more follows where the file is a compressed one by chance
    }

    std::vector<std::filesystem::path> files_;
    Format format_;
    std::size_t next_file_ = 0;
    std::unique_ptr<InputFile> file_;
    std::uint64_t in_file_ = 0, done_in_file_ = 0;
    std::vector<std::byte> record_;
};

} // namespace

std::unique_ptr<Source> open_cifar(std::filesystem::path const& file_or_folder) {
    return std::make_unique<Cifar>(batches(file_or_folder));
}

} // namespace assay::data
