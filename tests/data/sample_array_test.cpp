#include "assay/data/sample_array.hpp"

#include "assay/store/half.hpp"
#include "data/part_fixtures.hpp"

#include <limits>

using namespace assay;
using namespace assay::data;
using namespace assay::data::test;

namespace {

std::vector<std::uint64_t> const kIds{50, 51, 52, 53, 54, 55};

// A data set of six samples with one array more
template <class T>
void write_array(fs::path const& path, std::string const& name, store::Shape const& shape,
                 std::vector<T> const& values, hid_t type = store::native_type<T>()) {
    write_part(path, kIds, {0, 1, 2, 0, 1, 2});
    store::Handle const file = store::open_to_write(path);
    store::Handle const array = store::create_dataset(file, name, type, shape);
    if (!values.empty())
        store::write_rows(array, 0, shape[0], store::native_type<T>(), values.data());
}

View view_of(fs::path const& path, Rows rows = Rows::all(6)) {
    return {std::make_shared<Dataset const>(path), std::move(rows)};
}

template <class T>
View with_array(fs::path const& path, std::string const& name, store::Shape const& shape,
                std::vector<T> const& values, Rows rows = Rows::all(6)) {
    write_array(path, name, shape, values);
    return view_of(path, std::move(rows));
}

// Writes the attribute `names` the way h5py writes a NumPy array of bytes
void put_names(fs::path const& path, std::vector<std::string> const& names) {
    constexpr std::size_t kWidth = 8;
    std::string text(names.size() * kWidth, '\0');
    for (std::size_t i = 0; i < names.size(); ++i)
        text.replace(i * kWidth, names[i].size(), names[i]);
    store::Handle const file = store::open_to_write(path);
    store::Handle const array = store::open_dataset(file, "/attributes");
    store::Handle const type(H5Tcopy(H5T_C_S1), "type");
    store::require(H5Tset_size(type.id(), kWidth), "size");
    hsize_t const count = names.size();
    store::Handle const space(H5Screate_simple(1, &count, nullptr), "space");
    store::Handle const attribute(
        H5Acreate2(array.id(), "names", type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT), "names");
    store::require(H5Awrite(attribute.id(), type.id(), text.data()), "names");
}

} // namespace

TEST(SampleArray, GroupsOfAViewAreReadByPosition) {
    TempDir const dir;
    View const view = with_array<std::int64_t>(dir / "d.h5", "/who/group", {6}, {7, -1, 7, 900, 7, 3},
                                               some_rows({1, 2, 3, 5}));
    EXPECT_TRUE(has_sample_array(view.dataset(), "who/group"));
    EXPECT_FALSE(has_sample_array(view.dataset(), "/group"));
    EXPECT_FALSE(has_sample_array(view.dataset(), "/who/group/x"));
    for (std::string const name : {"/who/group", "who/group"}) {
        SampleArray<std::int64_t> const groups = open_groups(view, name);
        EXPECT_EQ(groups.width, 1U);
        EXPECT_EQ(groups.name, (dir / "d.h5").string() + ": /who/group");
        EXPECT_EQ(groups.read(0, 4), (std::vector<std::int64_t>{-1, 7, 900, 3}));
        EXPECT_EQ(groups.read(2, 3), (std::vector<std::int64_t>{900}));
        EXPECT_TRUE(groups.read(1, 1).empty());
    }
}

TEST(SampleArray, GroupsMayBeAnyIntegers) {
    TempDir const dir;
    std::vector<std::int64_t> const values{0, 1, 2, 100, 2, 1};
    for (hid_t const type : {H5T_STD_I8LE, H5T_STD_U8LE, H5T_STD_I16BE, H5T_STD_U32LE, H5T_STD_I32LE,
                             H5T_STD_U64LE, H5T_STD_I64BE}) {
        write_array(dir / "d.h5", "/group", {6}, values, type);
        EXPECT_EQ(open_groups(view_of(dir / "d.h5"), "group").read(0, 6), values);
    }
    EXPECT_EQ(open_groups(with_array(dir / "d.h5", "/group", {6}, values), "labels").read(0, 6),
              (std::vector<std::int64_t>{0, 1, 2, 0, 1, 2}));
}

TEST(SampleArray, GroupsBeyondInt64AreRefusedNotMerged) {
    TempDir const dir;
    View const view = with_array<std::uint64_t>(
        dir / "d.h5", "/group", {6}, {1, 2, 3, ~0ULL, std::uint64_t{1} << 63, (std::uint64_t{1} << 63) - 1});
    SampleArray<std::int64_t> const groups = open_groups(view, "/group");
    expect_in(error_of(Exit::data, [&] { groups.read(0, 6); }),
              {(dir / "d.h5").string(), "/group", "18446744073709551615", "row 3", "id 53", "2^63"});
    expect_in(error_of(Exit::data, [&] { groups.read(4, 6); }), {"9223372036854775808", "row 4"});
    EXPECT_EQ(groups.read(5, 6),
              (std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::max()})); // fits
}

TEST(SampleArray, AttributesAreRowsWithNames) {
    TempDir const dir;
    std::vector<std::uint8_t> const values{1, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 0};
    write_array(dir / "d.h5", "/attributes", {6, 2}, values);
    EXPECT_TRUE(open_attributes(view_of(dir / "d.h5")).columns.empty());
    put_names(dir / "d.h5", {"Hat", "Glasses"});
    SampleArray<std::uint8_t> const attributes = open_attributes(view_of(dir / "d.h5", some_rows({0, 1, 4})));
    EXPECT_EQ(attributes.width, 2U);
    EXPECT_EQ(attributes.columns, (std::vector<std::string>{"Hat", "Glasses"}));
    EXPECT_EQ(attributes.read(0, 3), (std::vector<std::uint8_t>{1, 0, 0, 1, 0, 1}));
    EXPECT_EQ(attributes.read(2, 3), (std::vector<std::uint8_t>{0, 1}));
}

TEST(SampleArray, AttributesOtherThanZeroAndOneAreNamed) {
    TempDir const dir;
    View const view =
        with_array<std::uint8_t>(dir / "d.h5", "/attributes", {6, 2}, {1, 0, 0, 1, 1, 1, 0, 255, 2, 1, 1, 0});
    SampleArray<std::uint8_t> const attributes = open_attributes(view);
    expect_in(error_of(Exit::data, [&] { attributes.read(1, 6); }),
              {(dir / "d.h5").string(), "/attributes", "255", "row 3", "column 1", "id 53", "0 or 1"});
    expect_in(error_of(Exit::data, [&] { attributes.read(4, 6); }), {"is 2 ", "row 4", "column 0"});
    EXPECT_NO_THROW(attributes.read(0, 3));
}

TEST(SampleArray, NamesOfAttributesMustFit) {
    TempDir const dir;
    for (std::vector<std::string> const& names :
         {std::vector<std::string>{"Hat"}, {"Hat", "Beard", "Glasses"}, {"Hat", "Hat"}}) {
        write_array(dir / "d.h5", "/attributes", {6, 2}, std::vector<std::uint8_t>(12));
        put_names(dir / "d.h5", names);
        expect_in(error_of(Exit::data, [&] { open_attributes(view_of(dir / "d.h5")); }),
                  {(dir / "d.h5").string(), "/attributes", "`names`"});
    }
    write_array(dir / "d.h5", "/attributes", {6, 1}, std::vector<std::uint8_t>(6));
    store::write_number(store::open_to_write(dir / "d.h5"), "/attributes", "names", 3.0);
    expect_in(error_of(Exit::data, [&] { open_attributes(view_of(dir / "d.h5")); }),
              {"`names`", "not 1 strings"});
}

TEST(SampleArray, QualityMayBeAnyFloats) {
    TempDir const dir;
    std::vector<double> const values{0, 0.5, 1, 2, 1024, 0.25};
    for (hid_t const type :
         {H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_IEEE_F64BE, store::float16_type(), store::bfloat16_type()}) {
        write_array(dir / "d.h5", "/quality", {6}, values, type);
        EXPECT_EQ(open_quality(view_of(dir / "d.h5")).read(0, 6),
                  std::vector<float>(values.begin(), values.end()));
    }
}

TEST(SampleArray, QualityMustBeFiniteAndNotNegative) {
    TempDir const dir;
    double const nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
    for (auto const& [bad, text] :
         {std::pair{-0.5, "-0.5"}, {nan, "nan"}, {inf, "inf"}, {-inf, "-inf"}, {1e300, "1e+300"}}) {
        View const view =
            with_array<double>(dir / "d.h5", "/quality", {6}, {1, 0, bad, -9, 1, 1}, some_rows({1, 2, 3}));
        SampleArray<float> const quality = open_quality(view);
        expect_in(error_of(Exit::data, [&] { quality.read(0, 3); }),
                  {(dir / "d.h5").string(), "/quality", text, "row 2", "id 52"});
        EXPECT_EQ(quality.read(0, 1), (std::vector<float>{0}));
    }
}

TEST(SampleArray, FlagsAreZeroOrOne) {
    TempDir const dir;
    View const view = with_array<std::uint8_t>(dir / "d.h5", "/truth/ood", {6}, {0, 1, 1, 0, 3, 0});
    SampleArray<std::uint8_t> const flags = open_flags(view, "/truth/ood");
    EXPECT_EQ(flags.read(0, 4), (std::vector<std::uint8_t>{0, 1, 1, 0}));
    expect_in(error_of(Exit::data, [&] { flags.read(3, 6); }), {"/truth/ood", "is 3 ", "row 4", "id 54"});
}

TEST(SampleArray, ArraysThatDoNotFitAreRefused) {
    TempDir const dir;
    fs::path const path = dir / "d.h5";
    auto const refused = [&](View const& view, auto open, std::vector<std::string> named) {
        named.push_back(path.string());
        expect_in(error_of(Exit::data, [&] { open(view); }), named);
    };
    auto const groups = [](View const& view) { open_groups(view, "/group"); };
    auto const attributes = [](View const& view) { open_attributes(view); };
    auto const quality = [](View const& view) { open_quality(view); };
    auto const flags = [](View const& view) { open_flags(view, "/truth/ood"); };
    refused(with_array<float>(path, "/x", {1}, {}), groups, {"/group is missing"});
    refused(with_array<float>(path, "/group", {6}, {}), groups, {"/group is float32", "integer", "int64"});
    refused(with_array<std::int64_t>(path, "/group", {5}, {}), groups, {"5 entries", "/samples 6"});
    refused(with_array<std::int64_t>(path, "/group", {6, 1}, {}), groups, {"2 axes", "[N]"});
    refused(with_array<std::int64_t>(path, "/group/x", {6}, {}), groups, {"/group is a group"});
    refused(with_array<std::int64_t>(path, "/attributes", {6, 1}, {}), attributes, {"int64", "uint8"});
    refused(with_array<std::uint8_t>(path, "/attributes", {6}, {}), attributes, {"1 axes", "[N, a]"});
    refused(with_array<std::uint8_t>(path, "/attributes", {7, 1}, {}), attributes, {"7 entries"});
    refused(with_array<std::uint8_t>(path, "/attributes", {6, 0}, {}), attributes, {"no values", "6x0"});
    refused(with_array<std::uint8_t>(path, "/quality", {6}, {}), quality, {"uint8", "float32"});
    refused(with_array<std::int64_t>(path, "/truth/ood", {6}, {}), flags, {"/truth/ood", "int64", "uint8"});
    refused(with_array<std::uint8_t>(path, "/truth/ood", {6, 1}, {}), flags, {"2 axes"});
    refused(with_array<float>(path, "/x", {1}, {}), [](View const& view) { open_groups(view, "/"); },
            {": /"});
}

TEST(SampleArray, LinksAndWhatWasNeverWrittenAreRefused) {
    TempDir const dir;
    fs::path const path = dir / "d.h5", other = dir / "other.h5";
    write_array<std::int64_t>(other, "/group", {6}, {1, 2, 3, 4, 5, 6});
    write_array<std::int64_t>(path, "/elsewhere", {6}, {1, 2, 3, 4, 5, 6});
    {
        store::Handle const file = store::open_to_write(path);
        H5Lcreate_soft("/elsewhere", file.id(), "/soft", H5P_DEFAULT, H5P_DEFAULT);
        H5Lcreate_external(other.c_str(), "/group", file.id(), "/external", H5P_DEFAULT, H5P_DEFAULT);
        hsize_t const size = 6;
        store::Handle const space(H5Screate_simple(1, &size, nullptr), "space");
        store::Handle const declared(H5Dcreate2(file.id(), "/declared", H5T_NATIVE_INT64, space.id(),
                                                H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                                     "declared");
    }
    View const view = view_of(path);
    for (auto const& [name, reason] :
         {std::pair{"/soft", "link"}, {"/external", "link"}, {"/declared", "never written"}})
        expect_in(error_of(Exit::data, [&] { open_groups(view, name); }), {path.string(), name, reason});
}

// The recipe of docs/data.md
TEST(SampleArray, ReadsArraysWrittenByH5py) {
    TempDir const dir;
    bool const ran = run_python(dir / "", "numpy, h5py", R"(
import h5py, numpy as np
with h5py.File("d.h5", "w") as f:
    f["samples"] = np.zeros((3, 1, 2, 2), "uint8")
    f["group"] = np.array([4, 4, 9])
    f["quality"] = np.array([0.5, 0.25, 1])
    f["attributes"] = np.array([[1, 0], [0, 0], [1, 1]]).astype("uint8")
    f["attributes"].attrs["names"] = ["Hat", "Glasses"]
    f["fixed"] = np.array([[1, 0], [0, 0], [1, 1]]).astype("uint8")
    f["fixed"].attrs["names"] = np.array(["Hat", "Glasses"], "S")
    f["truth/ood"] = np.array([0, 1, 0], "uint8")
)");
    if (!ran)
        GTEST_SKIP() << "no python3 with h5py";
    View const view(std::make_shared<Dataset const>(dir / "d.h5"), Rows::all(3));
    EXPECT_EQ(open_groups(view, "group").read(0, 3), (std::vector<std::int64_t>{4, 4, 9}));
    EXPECT_EQ(open_quality(view).read(0, 3), (std::vector<float>{0.5F, 0.25F, 1}));
    EXPECT_EQ(open_flags(view, "/truth/ood").read(0, 3), (std::vector<std::uint8_t>{0, 1, 0}));
    for (std::string const name : {"/attributes", "/fixed"}) {
        EXPECT_EQ(open_attributes(view, name).columns, (std::vector<std::string>{"Hat", "Glasses"}));
        EXPECT_EQ(open_attributes(view, name).read(0, 3), (std::vector<std::uint8_t>{1, 0, 0, 0, 1, 1}));
    }
}
