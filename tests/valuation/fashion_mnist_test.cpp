// Known answers on real data: Fashion-MNIST's raw pixels, worked out elsewhere in integer arithmetic
#include "assay/valuation/search.hpp"

#include "valuation/oracle.hpp"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <map>

#include <zlib.h>

namespace assay::valuation {
namespace {

constexpr std::uint64_t kPixels = 784, kTraining = 60000, kTest = 10000;

std::string path_of(std::string const& part) {
    return "/usr/share/datasets/fashion-mnist/" + part + "-ubyte.gz"; // Debian: dataset-fashion-mnist
}

std::vector<unsigned char> unpacked(std::string const& part, std::size_t header, std::size_t size) {
    std::vector<unsigned char> bytes(header + size);
    gzFile const file = gzopen(path_of(part).c_str(), "rb");
    EXPECT_EQ(gzread(file, bytes.data(), static_cast<unsigned>(bytes.size())),
              static_cast<int>(bytes.size()));
    gzclose(file);
    return {bytes.begin() + static_cast<std::ptrdiff_t>(header), bytes.end()};
}

test::Matrix images(std::string const& part, std::uint64_t rows) {
    auto const bytes = unpacked(part, 16, rows * kPixels);
    return {rows, kPixels, {bytes.begin(), bytes.end()}};
}

class FashionMnist : public testing::Test {
  protected:
    void SetUp() override {
        if (!std::filesystem::exists(path_of("train-images-idx3")))
            GTEST_SKIP() << "Debian package dataset-fashion-mnist is not installed";
        training_ = images("train-images-idx3", kTraining);
        queries_ = images("t10k-images-idx3", kTest);
    }
    TrainingRows rows(Storage storage) const {
        return {{}, training_.features("training"), Distance::squared_l2, storage};
    }

    test::Matrix training_, queries_;
};

TEST_F(FashionMnist, NearestOfTheFirstTestImage) {
    TrainingRows const training = rows(Storage::float32);
    Neighbours const found = Searcher(training).search(queries_.block(0, 1), 5, 0);
    EXPECT_EQ(found.rows, (std::vector<std::int64_t>{18094, 53939, 18352, 52468, 15081}));
    EXPECT_EQ(found.distances, (std::vector<double>{232610, 465111, 501971, 532363, 580701}));
}

// Pixels have eight bits, as bfloat16 has
TEST_F(FashionMnist, ShortStorageHoldsPixelsExactly) {
    TrainingRows const training = rows(Storage::bfloat16);
    Neighbours const found = Searcher(training).search(queries_.block(0, 1), 5, 0);
    EXPECT_EQ(found.rows, (std::vector<std::int64_t>{18094, 53939, 18352, 52468, 15081}));
    EXPECT_EQ(found.distances, (std::vector<double>{232610, 465111, 501971, 532363, 580701}));
}

TEST_F(FashionMnist, SumsOverAllTestImages) {
    constexpr std::int64_t kNeighbours = 100;
    auto const labels = unpacked("train-labels-idx1", 8, kTraining),
               wanted = unpacked("t10k-labels-idx1", 8, kTest);
    std::map<std::int64_t, std::int64_t> matches;   // in the first 1, 5, ...
    std::map<std::int64_t, std::int64_t> distances; // their sum
    std::uint64_t places = 0;                       // sum of (row + 1) rank (query + 1)
    std::int64_t smallest = std::numeric_limits<std::int64_t>::max(), largest = 0;
    TrainingRows const training = rows(Storage::float32);
    Searcher searcher(training);
    for (std::uint64_t begin = 0; begin < kTest; begin += 1000) {
        Neighbours const found = searcher.search(queries_.block(begin, 1000), kNeighbours, 0);
        for (std::uint64_t q = 0; q < 1000; ++q)
            for (std::int64_t rank = 1; rank <= kNeighbours; ++rank) {
                std::size_t const i = q * kNeighbours + static_cast<std::size_t>(rank) - 1;
                auto const d2 = static_cast<std::int64_t>(found.distances[i]);
                auto const row = static_cast<std::uint64_t>(found.rows[i]);
                places += (row + 1) * static_cast<std::uint64_t>(rank) * (begin + q + 1);
                for (std::int64_t k : {1, 5, 10, 30, 50, 100})
                    if (rank <= k) {
                        matches[k] += labels[row] == wanted[begin + q];
                        distances[k] += d2;
                    }
                if (rank == 1) {
                    smallest = std::min(smallest, d2);
                    largest = std::max(largest, d2);
                }
            }
    }
    using Table = std::map<std::int64_t, std::int64_t>;
    EXPECT_EQ(matches,
              (Table{{1, 8497}, {5, 41072}, {10, 80520}, {30, 233376}, {50, 381753}, {100, 741627}}));
    EXPECT_EQ(distances[1], 9270785279);
    EXPECT_EQ(distances[10], 116298688830);
    EXPECT_EQ(distances[50], 706369408916);
    EXPECT_EQ(distances[100], 1551003392761);
    EXPECT_EQ(places, 7600932435630898U);
    EXPECT_EQ(smallest, 433);
    EXPECT_EQ(largest, 5332389);
    EXPECT_EQ(searcher.second_passes(), 0);
}

} // namespace
} // namespace assay::valuation
