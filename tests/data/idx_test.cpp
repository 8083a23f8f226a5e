#include "data/fixtures.hpp"

#include <array>
#include <cmath>

using namespace assay;
using namespace assay::data;
using namespace assay::data::test;

namespace {

fs::path const kFashion = "/usr/share/datasets/fashion-mnist"; // Debian: dataset-fashion-mnist

Bytes idx_images(std::uint32_t n, std::uint32_t height, std::uint32_t width, Bytes const& values) {
    Bytes file{0, 0, 8, 3};
    for (auto const extent : {n, height, width})
        append(file, big_endian(extent));
    append(file, values);
    return file;
}

Bytes idx_labels(Bytes const& labels) {
    Bytes file{0, 0, 8, 1};
    append(file, big_endian(static_cast<std::uint32_t>(labels.size())));
    append(file, labels);
    return file;
}

// Three images of 4x5 with labels, under the usual names
struct SmallIdx {
    TempDir dir;
    Bytes values = noise(60), labels{2, 0, 7};
    fs::path images = dir / "train-images-idx3-ubyte", labels_file = dir / "train-labels-idx1-ubyte";
    ImportRequest request{images, {}, dir / "d.h5", false};

    SmallIdx() {
        write_bytes(images, idx_images(3, 4, 5, values));
        write_bytes(labels_file, idx_labels(labels));
    }
};

void expect_fashion(fs::path const& folder, std::string const& part, std::uint64_t per_class,
                    std::vector<std::int64_t> const& first_labels) {
    TempDir const dir;
    auto const summary =
        import_dataset({folder / (part + "-images-idx3-ubyte.gz"), {}, dir / "gz.h5", false});
    EXPECT_EQ(summary.kind, "IDX");
    EXPECT_EQ(summary.samples, 10 * per_class);
    EXPECT_EQ(summary.sample_shape, "1x28x28");
    EXPECT_EQ(summary.classes, 10U);
    Dataset const dataset(dir / "gz.h5");
    auto const labels = dataset.labels();
    EXPECT_EQ(std::vector(labels.begin(), labels.begin() + 10), first_labels);
    std::array<std::uint64_t, 10> counts{};
    for (auto const label : labels)
        ++counts.at(static_cast<std::size_t>(label));
    for (auto const count : counts)
        EXPECT_EQ(count, per_class);

    for (std::string const kind : {"images-idx3", "labels-idx1"}) {
        auto const name = part + "-" + kind + "-ubyte";
        ASSERT_EQ(
            std::system(
                ("gzip -dc " + (folder / (name + ".gz")).string() + " > " + (dir / name).string()).c_str()),
            0);
    }
    import_dataset({dir / (part + "-images-idx3-ubyte"), {}, dir / "plain.h5", false});
    EXPECT_EQ(read_bytes(dir / "plain.h5"), read_bytes(dir / "gz.h5"));
    auto const raw = read_bytes(dir / (part + "-images-idx3-ubyte"));
    EXPECT_EQ(values_of(dataset), Bytes(raw.begin() + 16, raw.end()));
}

} // namespace

TEST(Idx, ImportsFashionMnistTrainingSet) {
    if (!fs::exists(kFashion))
        GTEST_SKIP() << "Debian package dataset-fashion-mnist is not installed";
    expect_fashion(kFashion, "train", 6000, {9, 0, 0, 3, 0, 2, 7, 2, 5, 5});
}

TEST(Idx, ImportsFashionMnistTestSet) {
    if (!fs::exists(kFashion))
        GTEST_SKIP() << "Debian package dataset-fashion-mnist is not installed";
    expect_fashion(kFashion, "t10k", 1000, {9, 2, 1, 1, 6, 1, 4, 6, 5, 7});
}

// The mean 0.2860 and standard deviation 0.3530 that everybody normalises Fashion-MNIST with
TEST(Idx, FashionMnistHasItsKnownMoments) {
    if (!fs::exists(kFashion))
        GTEST_SKIP() << "Debian package dataset-fashion-mnist is not installed";
    TempDir const dir;
    import_dataset({kFashion / "train-images-idx3-ubyte.gz", {}, dir / "d.h5", false});
    double sum = 0;
    double squares = 0;
    auto const values = values_of(Dataset(dir / "d.h5"));
    for (auto const value : values) {
        sum += value / 255.0;
        squares += value / 255.0 * (value / 255.0);
    }
    auto const n = static_cast<double>(values.size());
    EXPECT_NEAR(sum / n, 0.2860, 0.0001);
    EXPECT_NEAR(std::sqrt(squares / n - sum / n * (sum / n)), 0.3530, 0.0001);
}

TEST(Idx, FindsLabelsByNameOrTakesThoseGiven) {
    SmallIdx const small;
    import_dataset(small.request);
    EXPECT_EQ(values_of(Dataset(small.dir / "d.h5")), small.values);
    EXPECT_EQ(Dataset(small.dir / "d.h5").labels(), (std::vector<std::int64_t>{2, 0, 7}));

    write_gz(small.dir / "pictures.gz", read_bytes(small.images)); // known by its first bytes alone
    write_bytes(small.dir / "classes", idx_labels({1, 1, 3}));
    import_dataset({small.dir / "pictures.gz", small.dir / "classes", small.dir / "given.h5", false});
    EXPECT_EQ(values_of(Dataset(small.dir / "given.h5")), small.values);
    EXPECT_EQ(Dataset(small.dir / "given.h5").labels(), (std::vector<std::int64_t>{1, 1, 3}));

    auto request = small.request;
    request.source = small.dir / "pictures.gz";
    request.output = small.dir / "none.h5";
    expect_in(import_error(Exit::data, request), {"pictures.gz", "--labels"});
    fs::remove(small.labels_file);
    request.source = small.images;
    expect_in(import_error(Exit::data, request), {"train-labels-idx1-ubyte", "does not exist", "--labels"});
}

TEST(Idx, RefusesPlainFilesThatAreNotWhole) {
    SmallIdx const small;
    auto const whole = read_bytes(small.images);
    auto cut = whole;
    for (auto const size :
         {whole.size() - 1, std::size_t{16}, std::size_t{10}, std::size_t{3}, std::size_t{0}}) {
        SCOPED_TRACE(size);
        cut.resize(size);
        write_bytes(small.images, cut);
        expect_in(import_error(Exit::data, small.request), {small.images.string(), "truncated"});
    }
    auto longer = whole;
    longer.push_back(0);
    write_bytes(small.images, longer);
    expect_in(import_error(Exit::data, small.request), {small.images.string(), "bytes follow"});

    write_bytes(small.images, whole);
    auto labels = idx_labels({1, 2, 3});
    labels.pop_back();
    write_bytes(small.labels_file, labels);
    expect_in(import_error(Exit::data, small.request), {small.labels_file.string(), "truncated"});
}

TEST(Idx, RefusesCompressedFilesThatAreNotWhole) {
    SmallIdx const small;
    auto const images = small.dir / "t-images-idx3-ubyte.gz";
    auto const labels = small.dir / "t-labels-idx1-ubyte.gz";
    ImportRequest const request{images, {}, small.dir / "gz.h5", false};
    write_gz(labels, idx_labels(small.labels));
    auto const whole = idx_images(3, 4, 5, small.values);

    write_gz(images, Bytes(whole.begin(), whole.end() - 1)); // a whole .gz of too few bytes
    expect_in(import_error(Exit::data, request), {images.string(), "truncated", "75 bytes"});
    auto longer = whole;
    longer.push_back(0);
    write_gz(images, longer);
    expect_in(import_error(Exit::data, request), {images.string(), "bytes follow"});
    write_gz(images, whole);
    auto packed = read_bytes(images);
    packed.resize(packed.size() - 6); // inside the check sum
    write_bytes(images, packed);
    expect_in(import_error(Exit::data, request), {images.string(), "truncated"});
    packed.resize(packed.size() / 2);
    write_bytes(images, packed);
    expect_in(import_error(Exit::data, request), {images.string(), "truncated"});
    write_gz(images, whole);
    packed = read_bytes(images);
    packed[packed.size() - 7] ^= 1; // the check sum
    write_bytes(images, packed);
    expect_in(import_error(Exit::data, request), {images.string(), "damaged"});
}

TEST(Idx, RefusesHeadersThatCannotBe) {
    SmallIdx const small;
    auto swapped = read_bytes(small.images);
    std::swap(swapped[2], swapped[1]);
    write_bytes(small.images, swapped);
    expect_in(import_error(Exit::data, small.request), {small.images.string(), "0x00080003", "0x00000803"});
    write_bytes(small.images, idx_labels({1, 2, 3})); // labels where images should be
    expect_in(import_error(Exit::data, small.request), {small.images.string(), "0x00000801"});
    write_bytes(small.images, idx_images(0, 4, 5, {}));
    expect_in(import_error(Exit::data, small.request), {small.images.string(), "0 images"});
    write_bytes(small.images, idx_images(0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, {}));
    expect_in(import_error(Exit::data, small.request), {small.images.string(), "impossible"});
    auto const bomb = small.dir / "b-images-idx3-ubyte.gz"; // asks for more than deflate can hold
    write_gz(bomb, idx_images(1U << 31, 1U << 10, 1U << 10, {}));
    expect_in(import_error(Exit::data, {bomb, small.labels_file, small.dir / "d.h5", false}),
              {bomb.string(), "truncated"});
}

// 2^64 - 1 bytes of values: with those of the header they wrap around to 15
TEST(Idx, RefusesSizesThatWrapAround) {
    SmallIdx const idx;
    write_gz(idx.images, idx_images(4294967295U, 641, 6700417, idx.values));
    expect_in(import_error(Exit::data, idx.request), {idx.images.string(), "18446744073709551615"});
}

TEST(Idx, RefusesLabelsOfAnotherSet) {
    SmallIdx const small;
    write_bytes(small.labels_file, idx_labels({1, 2, 3, 4}));
    expect_in(import_error(Exit::data, small.request),
              {small.labels_file.string(), "4 labels", "3 images", small.images.string()});
    write_bytes(small.labels_file, read_bytes(small.images));
    expect_in(import_error(Exit::data, small.request), {small.labels_file.string(), "0x00000803"});
}
