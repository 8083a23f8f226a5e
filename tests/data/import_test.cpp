#include "assay/data/import.hpp"

#include "data/fixtures.hpp"

using namespace assay;
using namespace assay::data;
using namespace assay::data::test;

namespace {

// Peak resident memory since the last reset, in MiB
std::uint64_t peak_memory() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (word == "VmHWM:") {
            std::uint64_t kib = 0;
            status >> kib;
            return kib >> 10;
        }
    return 0;
}

} // namespace

TEST(Import, RefusesSourcesOfNoKnownKind) {
    TempDir const dir;
    expect_in(import_error(Exit::data, {dir / "none.npy", {}, dir / "d.h5", false}),
              {"none.npy", "no such file"});
    for (std::string const name : {"data.parquet", "empty"}) {
        write_text(dir / name, name == "empty" ? "" : "PAR1");
        expect_in(import_error(Exit::data, {dir / name, {}, dir / "d.h5", false}),
                  {(dir / name).string(), "no known kind"});
    }
}

TEST(Import, LeavesAnExistingOutputAloneUnlessToldOtherwise) {
    TempDir const dir;
    write_bytes(dir / "b.bin", Bytes(3073, 1));
    write_text(dir / "d.h5", "precious");
    expect_in(error_of(Exit::usage,
                       [&] {
                           import_dataset({dir / "b.bin", {}, dir / "d.h5", false});
                       }),
              {"d.h5", "exists"});
    // a failed import does not harm it either
    write_bytes(dir / "bad.bin", Bytes(3073, 77));
    error_of(Exit::data, [&] { import_dataset({dir / "bad.bin", {}, dir / "d.h5", true}); });
    EXPECT_EQ(read_bytes(dir / "d.h5").size(), 8U);
    import_dataset({dir / "b.bin", {}, dir / "d.h5", true});
    EXPECT_EQ(Dataset(dir / "d.h5").info().size, 1U);
}

TEST(Import, MemoryDoesNotGrowWithTheNumberOfSamples) {
    TempDir const dir;
    constexpr std::uint64_t kRecords = 30000; // 88 MiB
    write_bytes(dir / "b.bin", {});
    fs::resize_file(dir / "b.bin", kRecords * 3073);
    std::ofstream("/proc/self/clear_refs") << "5"; // resets the peak
    auto const before = peak_memory();
    if (before == 0)
        GTEST_SKIP() << "no /proc/self/status";
    EXPECT_EQ(import_dataset({dir / "b.bin", {}, dir / "d.h5", false}).samples, kRecords);
    EXPECT_LT(peak_memory() - before, 32U);
}
