#include "assay/data/dataset_writer.hpp"

#include "data/fixtures.hpp"

#include <csignal>
#include <sys/resource.h>

using namespace assay;
using namespace assay::data;
using namespace assay::data::test;

namespace {

DatasetInfo small() {
    return {5, {1, 2, 2}, SampleType::uint8, "NCHW", true};
}

std::span<std::byte const> bytes_of(Bytes const& bytes) {
    return std::as_bytes(std::span(bytes));
}

void write_small(fs::path const& path, Bytes const& values, bool overwrite = false) {
    DatasetWriter writer(path, small(), overwrite);
    writer.append(bytes_of(values).first(8), std::vector<std::int64_t>{4, 3});
    writer.append(bytes_of(values).subspan(8), std::vector<std::int64_t>{2, 1, 0});
    writer.finish();
}

// Files may grow to `bytes` while this lives: writing beyond fails as it does on a full disk
class FileSizeLimit {
  public:
    explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        getrlimit(RLIMIT_FSIZE, &before_);
        rlimit const limit{bytes, before_.rlim_max};
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FileSizeLimit() {
        setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }
    FileSizeLimit(FileSizeLimit const&) = delete;
    FileSizeLimit& operator=(FileSizeLimit const&) = delete;

  private:
    void (*handler_)(int);
    rlimit before_{};
};

} // namespace

TEST(DatasetWriter, WritesWhatDatasetReads) {
    TempDir const dir;
    auto const values = noise(20);
    write_small(dir / "d.h5", values);
    Dataset const dataset(dir / "d.h5");
    EXPECT_EQ(dataset.info().sample_shape, (store::Shape{1, 2, 2}));
    EXPECT_EQ(dataset.info().layout, "NCHW");
    EXPECT_EQ(values_of(dataset), values);
    EXPECT_EQ(dataset.labels(), (std::vector<std::int64_t>{4, 3, 2, 1, 0}));
    EXPECT_FALSE(fs::exists(dir / "d.h5.partial"));
    write_small(dir / "again.h5", values);
    EXPECT_EQ(read_bytes(dir / "again.h5"), read_bytes(dir / "d.h5")); // no dates inside
}

TEST(DatasetWriter, HasTheFinalNameOnlyWhenComplete) {
    TempDir const dir;
    auto const values = noise(20);
    {
        DatasetWriter writer(dir / "d.h5", small(), false);
        writer.append(bytes_of(values).first(4), std::vector<std::int64_t>{1});
        EXPECT_TRUE(fs::exists(dir / "d.h5.partial"));
        expect_in(error_of(Exit::internal, [&] { writer.finish(); }), {"1 of 5 rows"});
        EXPECT_FALSE(fs::exists(dir / "d.h5"));
    }
    EXPECT_FALSE(fs::exists(dir / "d.h5.partial"));
}

TEST(DatasetWriter, RefusesRowsThatDoNotFit) {
    TempDir const dir;
    auto const values = noise(24);
    DatasetWriter writer(dir / "d.h5", small(), false);
    std::vector<std::int64_t> const labels(6);
    error_of(Exit::internal, [&] { writer.append(bytes_of(values).first(5), std::span(labels).first(1)); });
    error_of(Exit::internal, [&] { writer.append(bytes_of(values).first(4), {}); });
    error_of(Exit::internal, [&] { writer.append(bytes_of(values), labels); });
}

TEST(DatasetWriter, NeverOverwritesUnasked) {
    TempDir const dir;
    write_text(dir / "d.h5", "precious");
    auto const values = noise(20);
    expect_in(error_of(Exit::usage, [&] { write_small(dir / "d.h5", values); }), {"d.h5", "--overwrite"});
    EXPECT_EQ(read_bytes(dir / "d.h5").size(), 8U);
    write_small(dir / "d.h5", values, true);
    EXPECT_EQ(values_of(Dataset(dir / "d.h5")), values);
    expect_in(error_of(Exit::usage, [&] { write_small(dir / "no/d.h5", values); }), {"no/d.h5", "folder"});
    expect_in(error_of(Exit::usage, [&] { write_small(dir / "", values, true); }), {"is a folder"});
}

TEST(DatasetWriter, StoresClassNames) {
    TempDir const dir;
    std::vector<std::string> const names{"cat", "Zürich", "a"};
    {
        DatasetWriter writer(dir / "d.h5", {1, {1}, SampleType::float32, "NC", false}, false);
        float const value = 2.5F;
        writer.append(std::as_bytes(std::span(&value, 1)), {});
        writer.write_classes(names);
        writer.finish();
    }
    bool const ran = run_python(dir / "", "h5py", R"(
import h5py
with h5py.File("d.h5") as f:
    assert list(f["classes"].asstr()[:]) == ["cat", "Zürich", "a"], f["classes"][:]
    assert f["samples"].attrs["layout"] in ("NC", b"NC"), f["samples"].attrs["layout"]
    assert f["samples"][0, 0] == 2.5
    assert "labels" not in f
)");
    if (!ran)
        GTEST_SKIP() << "no python3 with h5py";
}

TEST(DatasetWriter, LeavesNothingOnAFullDisk) {
    TempDir const dir;
    DatasetInfo const info{8, {1, 512, 512}, SampleType::uint8, "NCHW", true}; // 2 MiB
    auto const values = noise(8 << 18);
    std::vector<std::int64_t> const labels(8);
    for (rlim_t const limit :
         {1 << 10, 1 << 20, 2 << 20}) { // in the samples, in the last of them, in the labels
        SCOPED_TRACE(limit);
        auto writer = std::make_unique<DatasetWriter>(dir / "d.h5", info, false);
        {
            FileSizeLimit const full(limit);
            expect_in(error_of(Exit::io,
                               [&] {
                                   writer->append(bytes_of(values), labels);
                                   writer->finish();
                               }),
                      {"d.h5.partial", "free space"});
        }
        writer.reset();
        EXPECT_FALSE(fs::exists(dir / "d.h5"));
        EXPECT_FALSE(fs::exists(dir / "d.h5.partial"));
    }
    DatasetWriter writer(dir / "d.h5", info, false); // HDF5 is still usable
    writer.append(bytes_of(values), labels);
    writer.finish();
    EXPECT_EQ(values_of(Dataset(dir / "d.h5")), values);
}

TEST(DatasetWriter, RefusesMoreThanTheDiskHolds) {
    TempDir const dir;
    DatasetInfo const info{1ULL << 40, {1, 512, 512}, SampleType::uint8, "NCHW", true}; // 2^58 bytes
    expect_in(error_of(Exit::io, [&] { DatasetWriter(dir / "d.h5", info, false); }), {"d.h5", "288", "GB"});
    EXPECT_FALSE(fs::exists(dir / "d.h5.partial"));
}
