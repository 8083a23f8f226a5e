#include "assay/valuation/given_features.hpp"

#include "assay/store/half.hpp"
#include "data/part_fixtures.hpp"

#include <bit>
#include <cmath>
#include <limits>

using namespace assay;
using namespace assay::valuation;
using namespace assay::data::test;
using data::View;

namespace {

std::vector<std::uint64_t> const kIds{50, 51, 52, 53, 54, 55};

View some_view(TempDir const& dir, data::Rows rows = data::Rows::all(6)) {
    return {write_part(dir / "d.h5", kIds, {}), std::move(rows)};
}

// A file of features beside the data set: values as they are in memory, whatever `type` they mean
template <class T>
ArrayAddress write_features(TempDir const& dir, store::Shape const& shape, std::vector<T> const& values,
                            hid_t type = store::native_type<T>()) {
    store::Handle const file = store::create_file(dir / "f.h5");
    store::Handle const array = store::create_dataset(file, "/deep/x", type, shape);
    if (!values.empty())
        store::write_rows(array, 0, shape[0], type, values.data());
    return {dir / "f.h5", "/deep/x"};
}

std::vector<float> rows_of(FeatureMatrix const& features, std::uint64_t begin, std::uint64_t count) {
    std::vector<float> values(count * features.width);
    features.read(begin, count, values);
    return values;
}

std::vector<float> const kValues{0, 1, 10, 11, 20, 21, 30, 31, 40, 41, 50, 51};
// The same in 16 bits; a bfloat16 holds whole numbers up to 256
std::vector<std::uint16_t> const kFloat16{0x0000, 0x3C00, 0x4900, 0x4980, 0x4D00, 0x4D40,
                                          0x4F80, 0x4FC0, 0x5100, 0x5120, 0x5240, 0x5260};
std::vector<std::uint16_t> bfloat16() {
    std::vector<std::uint16_t> bits;
    for (float const value : kValues)
        bits.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16));
    return bits;
}

} // namespace

TEST(ArrayAddress, IsFileColonArray) {
    ArrayAddress const address = parse_array_address("features.given_training", "a/b:c.h5:/deep/train");
    EXPECT_EQ(address.file, "a/b:c.h5");
    EXPECT_EQ(address.array, "/deep/train");
    for (std::string const text : {"", "a.h5", "a.h5:train", ":/train", "a.h5:/", "a.h5/train"})
        expect_in(error_of(Exit::usage, [&] { parse_array_address("features.given_training", text); }),
                  {"features.given_training='" + text + "'", "FILE:/ARRAY"});
}

TEST(GivenFeatures, EveryTypeIsReadByTheRowsOfAView) {
    TempDir const dir;
    View const view = some_view(dir, some_rows({0, 2, 3, 5}));
    auto const expect_rows = [&](ArrayAddress const& address) {
        FeatureMatrix const features = given_features(address, view, RowCheck::finite);
        EXPECT_EQ(features.name, (dir / "f.h5").string() + ": /deep/x");
        EXPECT_EQ(features.rows, 4U);
        EXPECT_EQ(features.width, 2U);
        EXPECT_EQ(rows_of(features, 0, 4), (std::vector<float>{0, 1, 20, 21, 30, 31, 50, 51}));
        EXPECT_EQ(rows_of(features, 2, 1), (std::vector<float>{30, 31}));
        EXPECT_TRUE(rows_of(features, 4, 0).empty());
    };
    expect_rows(write_features(dir, {6, 2}, kValues));
    expect_rows(write_features(dir, {6, 2}, std::vector<std::uint8_t>(kValues.begin(), kValues.end())));
    expect_rows(write_features(dir, {6, 2}, kFloat16, store::float16_type()));
    expect_rows(write_features(dir, {6, 2}, bfloat16(), store::bfloat16_type()));
}

TEST(GivenFeatures, HigherRanksAreFlattened) {
    TempDir const dir;
    FeatureMatrix const features =
        given_features(write_features(dir, {6, 1, 2, 1}, kValues), some_view(dir), RowCheck::finite);
    EXPECT_EQ(features.width, 2U);
    EXPECT_EQ(rows_of(features, 0, 6), kValues);
}

TEST(GivenFeatures, BytesGoUpTo255) {
    TempDir const dir;
    FeatureMatrix const features =
        given_features(write_features<std::uint8_t>(dir, {6, 1}, {0, 1, 127, 128, 254, 255}), some_view(dir),
                       RowCheck::finite);
    EXPECT_EQ(rows_of(features, 0, 6), (std::vector<float>{0, 1, 127, 128, 254, 255}));
}

TEST(GivenFeatures, TheFirstRowThatIsNotFiniteIsNamed) {
    TempDir const dir;
    View const view = some_view(dir, some_rows({1, 2, 3, 5}));
    float const inf = std::numeric_limits<float>::infinity();
    for (auto const& [bad, text] : {std::pair{std::nanf(""), "nan"}, {inf, "inf"}, {-inf, "-inf"}}) {
        std::vector<float> values = kValues;
        values[0] = std::nanf(""); // row 0 is not in the view
        values[7] = bad;           // row 3
        values[10] = std::nanf("");
        FeatureMatrix const features =
            given_features(write_features(dir, {6, 2}, values), view, RowCheck::finite);
        expect_in(error_of(Exit::data, [&] { rows_of(features, 0, 4); }),
                  {(dir / "f.h5").string(), "/deep/x", text, "row 3", "id 53"});
        EXPECT_NO_THROW(check_features(features, 0, 2));
        expect_in(error_of(Exit::data, [&] { check_features(features, 0, 4); }), {"row 3"});
        expect_in(error_of(Exit::data, [&] { check_features(features, 3, 4); }), {"nan", "row 5", "id 55"});
    }
    std::vector<std::uint16_t> bits = kFloat16;
    bits[6] = 0x7C00;
    FeatureMatrix const features =
        given_features(write_features(dir, {6, 2}, bits, store::float16_type()), view, RowCheck::finite);
    expect_in(error_of(Exit::data, [&] { rows_of(features, 0, 4); }), {"inf", "row 3"});
}

TEST(GivenFeatures, ZerosAreNamedWhereADirectionIsNeeded) {
    TempDir const dir;
    View const view = some_view(dir, some_rows({1, 2, 3}));
    std::vector<float> values = kValues;
    values[4] = 0;
    values[5] = -0.0F; // row 2
    {
        ArrayAddress const address = write_features(dir, {6, 2}, values);
        EXPECT_NO_THROW(check_features(given_features(address, view, RowCheck::finite), 0, 3));
        FeatureMatrix const features = given_features(address, view, RowCheck::direction);
        expect_in(error_of(Exit::data, [&] { check_features(features, 0, 3); }),
                  {(dir / "f.h5").string(), "/deep/x", "zeros", "row 2", "id 52", "cosine"});
        EXPECT_NO_THROW(check_features(features, 2, 3));
    }
    values[5] = std::numeric_limits<float>::denorm_min(); // tiny, but a direction
    ArrayAddress const address = write_features(dir, {6, 2}, values);
    EXPECT_NO_THROW(check_features(given_features(address, view, RowCheck::direction), 0, 3));
}

// More than a piece of 2^20 values, the bad one in the last
TEST(GivenFeatures, AllPiecesAreChecked) {
    TempDir const dir;
    constexpr std::uint64_t kWidth = 300'000; // three rows are a piece
    std::vector<float> values(6 * kWidth, 1);
    values.back() = std::nanf("");
    FeatureMatrix const features =
        given_features(write_features(dir, {6, kWidth}, values), some_view(dir), RowCheck::finite);
    EXPECT_NO_THROW(check_features(features, 0, 5));
    expect_in(error_of(Exit::data, [&] { check_features(features, 0, 6); }), {"row 5"});
}

TEST(GivenFeatures, ArraysThatDoNotFitAreRefused) {
    TempDir const dir;
    View const view = some_view(dir, some_rows({0, 1}));
    auto const refused = [&](ArrayAddress const& address, std::vector<std::string> named) {
        named.push_back(address.file.string());
        expect_in(error_of(Exit::data, [&] { given_features(address, view, RowCheck::finite); }), named);
    };
    refused(write_features<double>(dir, {6, 2}, {}), {"float64", "float32", "x.astype("});
    refused(write_features<std::int64_t>(dir, {6, 2}, {}), {"int64", "bfloat16"});
    refused(write_features<float>(dir, {6}, {}), {"1 axes", "[N, d]"});
    refused(write_features<float>(dir, {2, 3}, {}), {"2 rows", (dir / "d.h5").string(), "6 samples"});
    refused(write_features<float>(dir, {6, 0}, {}), {"6x0"});
    write_features(dir, {6, 2}, kValues);
    refused({dir / "f.h5", "/shallow/x"}, {"/shallow/x is missing"});
    refused({dir / "f.h5", "/deep"}, {"/deep is a group"});
    refused({dir / "none.h5", "/x"}, {"no such file"});
    write_text(dir / "text.h5", "0,1,2\n");
    refused({dir / "text.h5", "/x"}, {"not an HDF5 file"});
}

TEST(GivenFeatures, LinksAndWhatWasNeverWrittenAreRefused) {
    TempDir const dir;
    View const view = some_view(dir);
    std::string const other = (dir / "other.h5").string();
    write_features(dir, {6, 2}, kValues);
    fs::rename(dir / "f.h5", other);
    {
        store::Handle const file = store::create_file(dir / "f.h5");
        store::create_dataset(file, "/x", store::native_type<float>(), {6, 2});
        H5Lcreate_soft("/x", file.id(), "/soft", H5P_DEFAULT, H5P_DEFAULT);
        H5Lcreate_external(other.c_str(), "/deep", file.id(), "/outside", H5P_DEFAULT, H5P_DEFAULT);
        hsize_t const shape[2] = {6, 2};
        store::Handle const space(H5Screate_simple(2, shape, nullptr), "space");
        store::Handle const declared(H5Dcreate2(file.id(), "/declared", H5T_NATIVE_FLOAT, space.id(),
                                                H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                                     "declared");
    }
    for (auto const& [name, reason] :
         {std::pair{"/soft", "link"}, {"/outside/x", "link"}, {"/declared", "never written"}})
        expect_in(error_of(Exit::data,
                           [&] {
                               given_features({dir / "f.h5", name}, view, RowCheck::finite);
                           }),
                  {(dir / "f.h5").string(), name, reason});
}

TEST(GivenFeatures, AskingForMoreIsABug) {
    TempDir const dir;
    FeatureMatrix const features = given_features(write_features(dir, {6, 2}, kValues),
                                                  some_view(dir, some_rows({1, 2})), RowCheck::finite);
    std::vector<float> values(4);
    error_of(Exit::internal, [&] { features.read(1, 2, values); });
    error_of(Exit::internal, [&] { features.read(0, 1, values); });
}

TEST(Pixels, AreTheStoredValues) {
    TempDir const dir;
    data::DatasetInfo info = kPartInfo; // 1x2x2; the first value is the id
    View const floats(write_part(dir / "d.h5", kIds, {}, info), some_rows({1, 5}));
    EXPECT_EQ(rows_of(data_set_pixels(floats, RowCheck::finite), 0, 2),
              (std::vector<float>{51, 0, 0, 0, 55, 0, 0, 0}));
    info.type = data::SampleType::uint8;
    View const bytes(write_part(dir / "b.h5", {0, 200, 255}, {}, info), data::Rows::all(3));
    FeatureMatrix const pixels = data_set_pixels(bytes, RowCheck::direction);
    EXPECT_EQ(rows_of(pixels, 1, 2), (std::vector<float>{200, 0, 0, 0, 255, 0, 0, 0}));
    expect_in(error_of(Exit::data, [&] { check_features(pixels, 0, 3); }),
              {(dir / "b.h5").string(), "/samples", "row 0", "id 0", "zeros"});
}

TEST(Features, OfOneSpaceHaveOneWidth) {
    FeatureMatrix const a{"a.h5: /x", 3, 4, {}}, b{"b.h5: /y", 9, 4, {}}, c{"c.h5: /z", 3, 5, {}};
    EXPECT_NO_THROW(require_same_width(a, b));
    expect_in(error_of(Exit::data, [&] { require_same_width(a, c); }), {"a.h5: /x has 4", "c.h5: /z has 5"});
}
