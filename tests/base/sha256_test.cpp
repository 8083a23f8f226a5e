#include "assay/base/sha256.hpp"

#include "assay/base/error.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace assay {
namespace {

// Examples of FIPS 180-2, appendix B, and the empty message
constexpr char const* kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char const* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char const* kTwoBlocks = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
constexpr char const* kMillion = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

class Sha256File : public testing::Test {
  protected:
    Sha256File() {
        std::string name = (std::filesystem::temp_directory_path() / "assay-sha256-XXXXXX").string();
        folder_ = mkdtemp(name.data());
    }
    ~Sha256File() override { std::filesystem::remove_all(folder_); }
    std::filesystem::path with(std::string const& bytes) const {
        std::ofstream(folder_ / "file", std::ios::binary) << bytes;
        return folder_ / "file";
    }
    std::filesystem::path folder_;
};

TEST(Sha256, KnownAnswers) {
    EXPECT_EQ(sha256(""), kEmpty);
    EXPECT_EQ(sha256("abc"), kAbc);
    EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), kTwoBlocks);
    EXPECT_EQ(sha256(std::string(1000000, 'a')), kMillion);
    EXPECT_NE(sha256(std::string_view("a\0b", 3)),
              sha256(std::string_view("a\0c", 3))); // NUL is a byte as any
}

TEST_F(Sha256File, KnownAnswers) {
    EXPECT_EQ(sha256_file(with("")), kEmpty);
    EXPECT_EQ(sha256_file(with("abc")), kAbc);
    EXPECT_EQ(sha256_file(with(std::string(1000000, 'a'))), kMillion);
}

TEST_F(Sha256File, ReadsFilesLongerThanOnePiece) {
    for (std::size_t size : {(1u << 20) - 1, 1u << 20, (1u << 20) + 1, 3u << 20}) {
        std::string bytes(size, 'x');
        bytes.back() = 'y';
        EXPECT_EQ(sha256_file(with(bytes)), sha256(bytes)) << size;
    }
}

TEST_F(Sha256File, NamesAFileThatCannotBeRead) {
    for (auto const& path : {folder_ / "missing", folder_}) // a folder opens, but does not read
        try {
            sha256_file(path);
            ADD_FAILURE() << path;
        } catch (Error const& error) {
            EXPECT_EQ(error.code(), Exit::io);
            EXPECT_NE(std::string(error.what()).find(path.string() + ": cannot be read"), std::string::npos)
                << error.what();
        }
}

} // namespace
} // namespace assay
