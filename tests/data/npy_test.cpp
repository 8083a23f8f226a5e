#include "data/fixtures.hpp"

#include <cmath>
#include <cstring>

using namespace assay;
using namespace assay::data;
using namespace assay::data::test;

namespace {

// A .npy file after numpy.lib.format; `version` 1 has a length of 2 bytes, later ones of 4
Bytes npy(std::string const& type, std::string const& shape, Bytes const& values, std::uint8_t version = 1,
          std::string const& fortran = "False") {
    std::string header =
        "{'descr': " + type + ", 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
    std::size_t const start = version == 1 ? 10 : 12;
    header.append(63 - (start + header.size()) % 64, ' ');
    header += '\n';
    Bytes file{0x93, 'N', 'U', 'M', 'P', 'Y', version, 0};
    for (std::size_t i = 0; i < start - 8; ++i)
        file.push_back(static_cast<std::uint8_t>(header.size() >> 8 * i));
    append(file, Bytes(header.begin(), header.end()));
    append(file, values);
    return file;
}

template <class T>
Bytes raw(std::vector<T> const& values) {
    Bytes bytes(values.size() * sizeof(T));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
}

struct Refused {
    TempDir dir;
    fs::path samples = dir / "x.npy", labels = dir / "y.npy";

    std::string operator()(Bytes const& file) {
        write_bytes(samples, file);
        auto const message = import_error(Exit::data, {samples, {}, dir / "d.h5", false});
        expect_in(message, {samples.string()});
        return message;
    }
    std::string with_labels(Bytes const& file) {
        write_bytes(samples, npy("'|u1'", "(3, 2)", {1, 2, 3, 4, 5, 6}));
        write_bytes(labels, file);
        auto const message = import_error(Exit::data, {samples, labels, dir / "d.h5", false});
        expect_in(message, {labels.string()});
        return message;
    }
};

} // namespace

TEST(Npy, ImportsAllHeaderVersions) {
    TempDir const dir;
    auto const values = noise(12);
    for (std::uint8_t const version : {1, 2, 3}) {
        SCOPED_TRACE(version);
        auto const name = std::to_string(version);
        write_bytes(dir / (name + ".npy"), npy("'|u1'", "(3, 2, 2)", values, version));
        auto const summary = import_dataset({dir / (name + ".npy"), {}, dir / (name + ".h5"), false});
        EXPECT_EQ(summary.kind, "NumPy");
        EXPECT_EQ(summary.sample_shape, "1x2x2");
        EXPECT_EQ(summary.classes, 0U);
        Dataset const dataset(dir / (name + ".h5"));
        EXPECT_EQ(dataset.info().layout, "NCHW");
        EXPECT_FALSE(dataset.info().has_labels);
        EXPECT_EQ(values_of(dataset), values);
    }
}

TEST(Npy, ImportsLabelsOfThreeTypes) {
    TempDir const dir;
    std::vector<float> const values{1, -2, 3.5F, 0, 1e30F, -0.0F};
    write_bytes(dir / "x.npy", npy("'<f4'", "(3, 2)", raw(values)));
    write_bytes(dir / "i8.npy", npy("'<i8'", "(3,)", raw<std::int64_t>({5, 1LL << 40, 0})));
    write_bytes(dir / "i4.npy", npy("'<i4'", "(3,)", raw<std::int32_t>({5, 70000, 0})));
    write_bytes(dir / "u1.npy", npy("'|u1'", "(3,)", {5, 255, 0}));
    auto const imported = [&](std::string const& labels) {
        import_dataset({dir / "x.npy", dir / labels, dir / "d.h5", true});
        return Dataset(dir / "d.h5").labels();
    };
    EXPECT_EQ(imported("i8.npy"), (std::vector<std::int64_t>{5, 1LL << 40, 0}));
    EXPECT_EQ(imported("i4.npy"), (std::vector<std::int64_t>{5, 70000, 0}));
    EXPECT_EQ(imported("u1.npy"), (std::vector<std::int64_t>{5, 255, 0}));
    Dataset const dataset(dir / "d.h5");
    EXPECT_EQ(dataset.info().layout, "NC");
    EXPECT_EQ(dataset.info().type, SampleType::float32);
    EXPECT_EQ(values_of(dataset), raw(values));
}

TEST(Npy, ReadsWhatNumpyWrites) {
    TempDir const dir;
    bool const ran = run_python(dir / "", "numpy", R"(
import numpy as np
x = (np.arange(7 * 3 * 4 * 5) / 8).astype("float32").reshape(7, 3, 4, 5)
np.save("x.npy", x)
np.save("y.npy", np.arange(7) % 3)
np.save("double.npy", x.astype("float64"))
np.save("fortran.npy", np.asfortranarray(x))
np.save("big.npy", x.astype(">f4"))
np.save("pair.npy", np.zeros(7, dtype=[("a", "<f4"), ("b", "<i8")]))
np.save("text.npy", np.array(["a", "bb"]))
np.save("last.npy", np.zeros((7, 32, 32, 3), "uint8"))
with open("v2.npy", "wb") as f:
    np.lib.format.write_array(f, x, version=(2, 0))
)");
    if (!ran)
        GTEST_SKIP() << "no python3 with numpy";
    std::vector<float> expected(7 * 3 * 4 * 5);
    for (std::size_t i = 0; i < expected.size(); ++i)
        expected[i] = static_cast<float>(i) / 8;
    for (auto const* name : {"x.npy", "v2.npy"}) {
        auto const summary = import_dataset({dir / name, dir / "y.npy", dir / "d.h5", true});
        EXPECT_EQ(summary.samples, 7U);
        EXPECT_EQ(summary.sample_shape, "3x4x5");
        EXPECT_EQ(summary.classes, 3U);
        Dataset const dataset(dir / "d.h5");
        EXPECT_EQ(values_of(dataset), raw(expected));
        EXPECT_EQ(dataset.labels(), (std::vector<std::int64_t>{0, 1, 2, 0, 1, 2, 0}));
    }
    auto const refused = [&](char const* name) {
        return import_error(Exit::data, {dir / name, {}, dir / "no.h5", false});
    };
    expect_in(refused("double.npy"), {"double.npy", "'<f8'", "astype"});
    expect_in(refused("fortran.npy"), {"fortran.npy", "Fortran", "ascontiguousarray"});
    expect_in(refused("big.npy"), {"big.npy", "'>f4'"});
    expect_in(refused("pair.npy"), {"pair.npy", "structured"});
    expect_in(refused("text.npy"), {"text.npy", "'<U2'"});
    expect_in(refused("last.npy"), {"last.npy", "7x32x32x3", "transpose"});
}

TEST(Npy, RefusesValuesThatAreNoNumbers) {
    Refused refused;
    std::vector<float> values(3 * 4, 1.0F);
    values[2 * 4 + 1] = std::nanf("");
    expect_in(refused(npy("'<f4'", "(3, 4)", raw(values))), {"sample 2", "nan"});
    values[4] = INFINITY;
    expect_in(refused(npy("'<f4'", "(3, 4)", raw(values))), {"sample 1", "inf"});
}

TEST(Npy, NamesABadSampleInALaterPiece) {
    Refused refused;
    constexpr std::size_t kRow = 1 << 18; // 1 MiB of floats
    std::vector<float> values(9 * kRow, 1.0F);
    values[8 * kRow + 3] = -INFINITY;
    expect_in(refused(npy("'<f4'", "(9, 262144)", raw(values))), {"sample 8", "-inf"});
}

TEST(Npy, RefusesDamagedFiles) {
    Refused refused;
    auto const whole = npy("'|u1'", "(3, 2)", {1, 2, 3, 4, 5, 6});
    auto cut = whole;
    for (auto const size : {whole.size() - 1, std::size_t{60}, std::size_t{9}, std::size_t{0}}) {
        SCOPED_TRACE(size);
        cut.resize(size);
        expect_in(refused(cut), {"truncated"});
    }
    auto changed = whole;
    changed.push_back(0);
    expect_in(refused(changed), {"bytes follow"});
    changed = whole;
    changed[0] = 'x';
    expect_in(refused(changed), {"NUMPY"});
    changed = whole;
    changed[6] = 9;
    expect_in(refused(changed), {"version 9.0"});
    auto endless = npy("'|u1'", "(3, 2)", {1}, 2);
    endless[11] = 0x7F; // length of the header: 2 GB
    expect_in(refused(endless), {"header has"});
}

TEST(Npy, RefusesHeadersThatMakeNoSense) {
    Refused refused;
    expect_in(refused(npy("'|u1'", "(3, 2", {})), {"no tuple"});
    expect_in(refused(npy("'|u1'", "3", {})), {"no tuple"});
    expect_in(refused(npy("'|u1'", "(3, x)", {})), {"integers"});
    expect_in(refused(npy("'|u1'", "(-3, 2)", {})), {"integers"});
    expect_in(refused(npy("'|u1'", "(4294967296, 4294967296, 2)", {})), {"overflows"});
    expect_in(refused(npy("'|u1'", "(1099511627776, 2)", {1})), {"truncated"});
    expect_in(refused(npy("'O'", "(3,)", {})), {"'O'"});
    expect_in(refused(npy("'|u1'", "()", {1})), {"shape ()"});
    expect_in(refused(npy("'|u1'", "(3,)", {1, 2, 3})), {"shape 3"});
    expect_in(refused(npy("'|u1'", "(0, 2)", {})), {"0x2"});
    expect_in(refused(npy("'|u1'", "(1, 1, 1, 1, 1)", {1})), {"1x1x1x1x1"});
    auto no_shape = npy("'|u1'", "(3, 2)", {1, 2, 3, 4, 5, 6});
    std::string const key = "'shape'";
    auto const at = std::search(no_shape.begin(), no_shape.end(), key.begin(), key.end());
    *(at + 1) = 'S';
    expect_in(refused(no_shape), {"no 'shape'"});
}

TEST(Npy, RefusesSizesThatWrapAround) {
    TempDir const dir;
    write_gz(dir / "x.npy", npy("'|u1'", "(1, 18446744073709551615)", {}));
    expect_in(import_error(Exit::data, {dir / "x.npy", {}, dir / "d.h5", false}), {"x.npy", "truncated"});
}

TEST(Npy, RefusesLabelsThatDoNotFit) {
    Refused refused;
    expect_in(refused.with_labels(npy("'<i8'", "(2,)", raw<std::int64_t>({0, 1}))),
              {"2 labels", "3 samples", "x.npy"});
    expect_in(refused.with_labels(npy("'<i8'", "(3, 1)", raw<std::int64_t>({0, 1, 2}))),
              {"2 axes", "reshape"});
    expect_in(refused.with_labels(npy("'<f4'", "(3,)", raw<float>({0, 1, 2}))), {"'<f4'", "int64"});
    expect_in(refused.with_labels(Bytes{}), {"truncated"});
    write_bytes(refused.labels, npy("'<i8'", "(3,)", raw<std::int64_t>({0, 1, -2})));
    expect_in(import_error(Exit::data, {refused.samples, refused.labels, refused.dir / "d.h5", false}),
              {"x.npy", "sample 2", "label -2"});
}
