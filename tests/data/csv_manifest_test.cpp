#include "data/fixtures.hpp"

using namespace assay;
using namespace assay::data;
using namespace assay::data::test;

namespace {

// Three images and whatever manifest a test writes
struct Manifest {
    TempDir dir;
    fs::path file = dir / "set/list.csv";

    Manifest() {
        write_bytes(dir / "set/one.png", png(2, 1, 1, {1, 2}));
        write_bytes(dir / "set/in/two, \"2\".png", png(2, 1, 1, {3, 4}));
        write_bytes(dir / "three.png", png(2, 1, 1, {5, 6}));
        write_bytes(dir / "set/wide.png", png(3, 1, 1, {5, 6, 7}));
    }
    ImportSummary import(std::string const& text) const {
        write_text(file, text);
        return import_dataset({file, {}, dir / "d.h5", true});
    }
    std::string refused(std::string const& text) const {
        write_text(file, text);
        auto const message = import_error(Exit::data, {file, {}, dir / "bad.h5", false});
        return message;
    }
};

} // namespace

TEST(CsvManifest, ImportsPathsAndLabelsInFileOrder) {
    Manifest const manifest;
    auto const absolute = (manifest.dir / "three.png").string();
    auto const summary = manifest.import("\xEF\xBB\xBFlabel,comment,path\r\n"
                                         "4,\"a, \"\"b\"\"\",one.png\r\n"
                                         "\r\n"
                                         "0,,\"in/two, \"\"2\"\".png\"\r\n"
                                         "7,\"\"," +
                                         absolute + "\r\n1,x,../three.png"); // no line end
    EXPECT_EQ(summary.kind, "CSV manifest");
    EXPECT_EQ(summary.samples, 4U);
    EXPECT_EQ(summary.sample_shape, "1x1x2");
    EXPECT_EQ(summary.classes, 8U);
    Dataset const dataset(manifest.dir / "d.h5");
    EXPECT_EQ(dataset.labels(), (std::vector<std::int64_t>{4, 0, 7, 1}));
    EXPECT_EQ(values_of(dataset), (Bytes{1, 2, 3, 4, 5, 6, 5, 6}));
    EXPECT_EQ(names_of(manifest.dir / "d.h5"),
              (std::vector<std::string>{"one.png", "in/two, \"2\".png", absolute, "../three.png"}));
}

TEST(CsvManifest, LabelsAreOptional) {
    Manifest const manifest;
    EXPECT_EQ(manifest.import("path\none.png\n").classes, 0U);
    EXPECT_FALSE(Dataset(manifest.dir / "d.h5").info().has_labels);
}

TEST(CsvManifest, NamesTheLineOfABadEntry) {
    Manifest const manifest;
    auto const file = manifest.file.string();
    expect_in(manifest.refused("path,label\none.png,0\none.png,cat\n"), {file, "line 3", "'cat'"});
    expect_in(manifest.refused("path,label\none.png,1.5\n"), {file, "line 2", "'1.5'"});
    expect_in(manifest.refused("path,label\none.png,-1\n"), {file, "line 2", "'-1'"});
    expect_in(manifest.refused("path,label\none.png,\n"), {file, "line 2", "''"});
    expect_in(manifest.refused("path,label\n\none.png\n"), {file, "line 3", "1 fields", "2"});
    expect_in(manifest.refused("path,label\n,1\n"), {file, "line 2", "empty"});
    expect_in(manifest.refused("path,label\n\"one.png,1\n"), {file, "line 2", "quote"});
    expect_in(manifest.refused("path,label\n\"one\".png,1\n"), {file, "line 2", "quote"});
}

TEST(CsvManifest, RefusesFilesOfAnotherForm) {
    Manifest const manifest;
    auto const file = manifest.file.string();
    expect_in(manifest.refused(""), {file, "empty"});
    expect_in(manifest.refused("path,label\n"), {file, "no samples"});
    expect_in(manifest.refused("file,label\none.png,1\n"), {file, "'path'"});
    expect_in(manifest.refused("path,label,path\none.png,1,x\n"), {file, "two columns named 'path'"});
}

TEST(CsvManifest, NamesABadImage) {
    Manifest const manifest;
    expect_in(manifest.refused("path\none.png\nnone.png\n"), {"set/none.png", "no such image"});
    expect_in(manifest.refused("path\none.png\nlist.csv\n"), {"set/list.csv", "PNG or JPEG"});
    expect_in(manifest.refused("path\none.png\nwide.png\n"), {"wide.png", "1x1x3", "one.png", "1x1x2"});
}
