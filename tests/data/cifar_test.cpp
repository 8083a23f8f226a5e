#include "data/fixtures.hpp"

using namespace assay;
using namespace assay::data;
using namespace assay::data::test;

namespace {

constexpr std::size_t kImage = 3072;

// Records with the given label bytes before the pixels of image i, noise of seed `seed` + i
Bytes records(std::vector<Bytes> const& labels, std::uint32_t seed) {
    Bytes file;
    for (std::uint32_t i = 0; i < labels.size(); ++i) {
        append(file, labels[i]);
        append(file, noise(kImage, seed + i));
    }
    return file;
}

} // namespace

TEST(Cifar, ImportsOneFileOfCifar10) {
    TempDir const dir;
    write_bytes(dir / "data_batch_1.bin", records({{6}, {9}, {0}}, 40));
    auto const summary = import_dataset({dir / "data_batch_1.bin", {}, dir / "d.h5", false});
    EXPECT_EQ(summary.kind, "CIFAR-10");
    EXPECT_EQ(summary.samples, 3U);
    EXPECT_EQ(summary.sample_shape, "3x32x32");
    EXPECT_EQ(summary.classes, 10U);
    Dataset const dataset(dir / "d.h5");
    EXPECT_EQ(dataset.labels(), (std::vector<std::int64_t>{6, 9, 0}));
    Bytes expected;
    for (std::uint32_t i = 0; i < 3; ++i)
        append(expected, noise(kImage, 40 + i));
    EXPECT_EQ(values_of(dataset), expected);
}

TEST(Cifar, ImportsTheFineLabelsOfCifar100) {
    TempDir const dir;
    write_bytes(dir / "train.bin", records({{11, 19}, {15, 99}}, 3));
    auto const summary = import_dataset({dir / "train.bin", {}, dir / "d.h5", false});
    EXPECT_EQ(summary.kind, "CIFAR-100");
    EXPECT_EQ(summary.classes, 100U);
    Dataset const dataset(dir / "d.h5");
    EXPECT_EQ(dataset.labels(), (std::vector<std::int64_t>{19, 99}));
    auto expected = noise(kImage, 3);
    append(expected, noise(kImage, 4));
    EXPECT_EQ(values_of(dataset), expected);
}

TEST(Cifar, ImportsTheTrainingBatchesOfAFolderInNameOrder) {
    TempDir const dir;
    write_bytes(dir / "c/data_batch_2.bin", records({{2}}, 2));
    write_bytes(dir / "c/data_batch_1.bin", records({{1}, {3}}, 10));
    write_bytes(dir / "c/test_batch.bin", records({{7}}, 20)); // never mixed into the training set
    write_text(dir / "c/batches.meta.txt", "airplane\n");
    EXPECT_EQ(import_dataset({dir / "c", {}, dir / "d.h5", false}).samples, 3U);
    Dataset const dataset(dir / "d.h5");
    EXPECT_EQ(dataset.labels(), (std::vector<std::int64_t>{1, 3, 2}));
    auto expected = noise(kImage, 10);
    append(expected, noise(kImage, 11));
    append(expected, noise(kImage, 2));
    EXPECT_EQ(values_of(dataset), expected);

    import_dataset({dir / "c/test_batch.bin", {}, dir / "test.h5", false});
    EXPECT_EQ(Dataset(dir / "test.h5").labels(), (std::vector<std::int64_t>{7}));
}

// 3074 records of CIFAR-10 have as many bytes as 3073 of CIFAR-100
TEST(Cifar, GoesByTheNameWhereTheSizeFitsBoth) {
    TempDir const dir;
    Bytes const zeros(3073 * 3074, 0);
    for (std::string const name : {"batch.bin", "train.bin", "cifar-100/x.bin"})
        write_bytes(dir / name, zeros);
    EXPECT_EQ(import_dataset({dir / "batch.bin", {}, dir / "a.h5", false}).samples, 3074U);
    EXPECT_EQ(import_dataset({dir / "train.bin", {}, dir / "b.h5", false}).samples, 3073U);
    EXPECT_EQ(import_dataset({dir / "cifar-100/x.bin", {}, dir / "c.h5", false}).samples, 3073U);
}

// Two records, compressed to a file as long as one
TEST(Cifar, RefusesCompressedFilesThatPassForPlainOnes) {
    TempDir const dir;
    Bytes file(2 * (1 + kImage));
    write_gz(dir / "x.bin", file);
    Bytes packed = read_bytes(dir / "x.bin");
    packed.resize(1 + kImage);
    write_bytes(dir / "x.bin", packed);
    expect_in(import_error(Exit::data, {dir / "x.bin", {}, dir / "d.h5", false}), {"x.bin", "follow"});
}

TEST(Cifar, RefusesWhatIsNoCifarFile) {
    TempDir const dir;
    auto const file = dir / "c/a.bin";
    auto whole = records({{1}, {2}, {3}}, 1);
    auto const refused = [&](fs::path const& source) {
        return import_error(Exit::data, {source, {}, dir / "d.h5", false});
    };
    write_bytes(file, Bytes(whole.begin(), whole.end() - 1));
    expect_in(refused(file), {file.string(), "9218 bytes"});
    write_bytes(file, {});
    expect_in(refused(file), {file.string(), "0 bytes"});
    whole[3073] = 10;
    write_bytes(file, whole);
    expect_in(refused(file), {file.string(), "record 1", "label 10"});
    write_bytes(file, records({{19, 100}}, 1));
    expect_in(refused(file), {file.string(), "record 0", "label 100"});
    write_bytes(dir / "c/b.bin", records({{1}}, 1));
    expect_in(refused(dir / "c"), {"b.bin", "CIFAR-10 ", "a.bin", "CIFAR-100"});
    write_bytes(dir / "labels", {0});
    expect_in(import_error(Exit::usage, {file, dir / "labels", dir / "d.h5", false}), {"labels", "--labels"});
}
