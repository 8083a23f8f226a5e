#include "data/fixtures.hpp"
#include "data/image.hpp"

#include <turbojpeg.h>

using namespace assay;
using namespace assay::data;
using namespace assay::data::test;

namespace {

// A folder of classes "b", "a" and "B": in byte order B, a, b
struct Folder {
    TempDir dir;
    fs::path root = dir / "photos";
    ImportRequest request{root, {}, dir / "d.h5", false};

    Folder() {
        write_bytes(root / "b/2.png", png(3, 2, 1, {1, 2, 3, 4, 5, 6}));
        write_bytes(root / "b/10.png", png(3, 2, 1, {7, 8, 9, 10, 11, 12}));
        write_bytes(root / "a/x.PNG", png(3, 2, 1, {13, 14, 15, 16, 17, 18}));
        write_bytes(root / "B/y.png", png(3, 2, 1, {19, 20, 21, 22, 23, 24}));
        write_text(root / ".DS_Store", "skipped");
        write_text(root / "a/.hidden", "skipped");
    }
    std::string refused() const { return import_error(Exit::data, {root, {}, dir / "bad.h5", false}); }
};

// A grey JPEG of 8x8 equal pixels, made by hand: quantiser 8 throughout, one DC difference of 100 (category
// 7), no AC terms. A DC coefficient of 8 x 100 lifts each pixel by 800 / 8 = 100 above 128
Bytes grey_jpeg() {
    Bytes file{0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0};
    file.insert(file.end(), 64, 8);
    append(file, {0xFF, 0xC0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0});
    for (std::uint8_t const kind : {0x00, 0x10}) { // DC, AC: the code "0" is all there is
        append(file, {0xFF, 0xC4, 0, 20, kind, 1});
        file.insert(file.end(), 15, 0);
        file.push_back(kind == 0 ? 7 : 0);
    }
    append(file, {0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0});
    append(file, {0b01100100, 0b01111111}); // 0, 1100100 = 100, 0 = end of block, padding
    append(file, {0xFF, 0xD9});
    return file;
}

// Interleaved RGB pixels as a JPEG of the best quality
Bytes jpeg(int width, int height, Bytes const& pixels) {
    unsigned char* packed = nullptr;
    unsigned long size = 0;
    tjhandle const encoder = tjInitCompress();
    EXPECT_EQ(
        tjCompress2(encoder, pixels.data(), width, 0, height, TJPF_RGB, &packed, &size, TJSAMP_444, 100, 0),
        0);
    Bytes const file(packed, packed + size);
    tjFree(packed);
    tjDestroy(encoder);
    return file;
}

} // namespace

TEST(ImageFolder, NumbersClassesAndImagesInByteOrder) {
    Folder const folder;
    auto const summary = import_dataset(folder.request);
    EXPECT_EQ(summary.kind, "image folder");
    EXPECT_EQ(summary.samples, 4U);
    EXPECT_EQ(summary.sample_shape, "1x2x3");
    EXPECT_EQ(summary.classes, 3U);
    Dataset const dataset(folder.dir / "d.h5");
    EXPECT_EQ(dataset.labels(), (std::vector<std::int64_t>{0, 1, 2, 2}));
    EXPECT_EQ(values_of(dataset), (Bytes{19, 20, 21, 22, 23, 24, 13, 14, 15, 16, 17, 18, //
                                         7,  8,  9,  10, 11, 12, 1,  2,  3,  4,  5,  6}));
    auto const file = store::open_to_read(folder.dir / "d.h5");
    auto const classes = store::open_dataset(file, "/classes");
    EXPECT_EQ(store::shape_of(classes), store::Shape{3});
    store::Handle const type(H5Dget_type(classes.id()), "type");
    ASSERT_EQ(H5Tget_size(type.id()), 1U);
    std::string names(3, ' ');
    store::read_rows(classes, 0, 3, type.id(), names.data());
    EXPECT_EQ(names, "Bab");
    EXPECT_EQ(names_of(folder.dir / "d.h5"),
              (std::vector<std::string>{"B/y.png", "a/x.PNG", "b/10.png", "b/2.png"}));
}

TEST(ImageFolder, StoresColoursAsPlanes) {
    TempDir const dir;
    write_bytes(dir / "p/c/1.png", png(2, 1, 3, {10, 20, 30, 11, 21, 31}));
    EXPECT_EQ(import_dataset({dir / "p", {}, dir / "d.h5", false}).sample_shape, "3x1x2");
    EXPECT_EQ(values_of(Dataset(dir / "d.h5")), (Bytes{10, 11, 20, 21, 30, 31}));
}

TEST(ImageFolder, DecodesJpeg) {
    TempDir const dir;
    write_bytes(dir / "p/c/1.jpg", grey_jpeg());
    write_bytes(dir / "p/c/2.JPEG", grey_jpeg());
    EXPECT_EQ(import_dataset({dir / "p", {}, dir / "d.h5", false}).sample_shape, "1x8x8");
    EXPECT_EQ(values_of(Dataset(dir / "d.h5")), Bytes(128, 228));
}

TEST(ImageFolder, DecodesColourJpeg) {
    Bytes pixels;
    for (int i = 0; i < 16 * 16; ++i)
        append(pixels, {200, 30, 90});
    TempDir const dir;
    write_bytes(dir / "p/c/1.jpg", jpeg(16, 16, pixels));
    EXPECT_EQ(import_dataset({dir / "p", {}, dir / "d.h5", false}).sample_shape, "3x16x16");
    auto const planes = values_of(Dataset(dir / "d.h5"));
    for (std::size_t i = 0; i < 256; ++i) { // YCbCr in between is rounded
        EXPECT_NEAR(planes[i], 200, 2);
        EXPECT_NEAR(planes[256 + i], 30, 2);
        EXPECT_NEAR(planes[512 + i], 90, 2);
    }
}

// Decoders go on with grey where data is missing
TEST(ImageFolder, RefusesDamagedJpeg) {
    Folder const folder;
    auto const bad = folder.root / "a/y.jpg";
    auto const whole = jpeg(3, 2, noise(18));
    for (std::size_t size = 3; size + 2 < whole.size(); ++size) {
        write_bytes(bad, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
        EXPECT_THROW(
            {
                std::vector<std::byte> out(18);
                read_image(bad, image_shape(bad), bad, out);
            },
            Error)
            << size;
    }
}

TEST(ImageFolder, RefusesSizesThatNoSampleHas) {
    Folder const folder;
    auto const bad = folder.root / "a/y.png";
    write_bytes(bad, png(5000, 5000, 1, {}));
    expect_in(folder.refused(), {bad.string(), "1x5000x5000", "16777216 pixels"});
}

TEST(ImageFolder, NamesTheFirstRaggedImageAndBothShapes) {
    Folder const folder;
    write_bytes(folder.root / "b/3.png", png(2, 3, 1, {1, 2, 3, 4, 5, 6}));
    expect_in(folder.refused(), {"b/3.png", "1x3x2", "B/y.png", "1x2x3"});
    write_bytes(folder.root / "b/3.png", png(3, 2, 3, noise(18)));
    expect_in(folder.refused(), {"b/3.png", "3x2x3", "B/y.png", "1x2x3"});
}

TEST(ImageFolder, RefusesImagesItCannotStoreFaithfully) {
    Folder const folder;
    auto const bad = folder.root / "a/y.png";
    write_bytes(bad, png(3, 2, 4, noise(24)));
    expect_in(folder.refused(), {bad.string(), "alpha"});
    write_bytes(bad, png(3, 2, 2, noise(12)));
    expect_in(folder.refused(), {bad.string(), "alpha"});
    write_bytes(bad, png(3, 2, 1, noise(12), 16));
    expect_in(folder.refused(), {bad.string(), "16 bits"});
}

TEST(ImageFolder, RefusesImagesThatCannotBeRead) {
    Folder const folder;
    auto const bad = folder.root / "a/y.png";
    write_text(bad, "no image at all");
    expect_in(folder.refused(), {bad.string(), "PNG or JPEG"});
    write_bytes(bad, {});
    expect_in(folder.refused(), {bad.string(), "PNG or JPEG"});
    auto cut = png(3, 2, 1, noise(6));
    cut.resize(45); // header whole, values not
    write_bytes(bad, cut);
    expect_in(folder.refused(), {bad.string(), "cannot be decoded"});
}

TEST(ImageFolder, RefusesFoldersOfAnotherForm) {
    Folder const folder;
    fs::create_directory(folder.root / "empty");
    expect_in(folder.refused(), {"photos/empty", "without images"});
    fs::remove(folder.root / "empty");
    write_text(folder.root / "a/notes.txt", "x");
    expect_in(folder.refused(), {"a/notes.txt", ".png"});
    fs::remove(folder.root / "a/notes.txt");
    write_text(folder.root / "README", "x");
    expect_in(folder.refused(), {"photos/README", "no folder"});
    fs::remove(folder.root / "README");
    fs::create_directories(folder.root / "a/deep.png");
    expect_in(folder.refused(), {"a/deep.png"});
    fs::remove_all(folder.root);
    fs::create_directory(folder.root);
    expect_in(folder.refused(), {folder.root.string(), "no samples"});
}
