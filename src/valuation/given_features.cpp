#include "assay/valuation/given_features.hpp"

#include "assay/store/array.hpp"
#include "assay/store/half.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace assay::valuation {

namespace {

// An open array and the rows of it that are asked for
struct Source {
    ArrayAddress address;
    data::View view;
    RowCheck check;
    store::Handle array;
    std::uint64_t width = 0;

    std::string where() const { return fmt::format("{}: {}", address.file.string(), address.array); }
};

void open(Source& source) {
    ArrayAddress const& address = source.address;
    source.array = store::open_array(store::open_to_read(address.file), address.file, address.array);
    std::string const type = store::type_name(source.array);
    if (!store::is_exact_as_float(type))
        fail(Exit::data,
             "{} is {} (features must be float32, float16, bfloat16 or uint8). Write {}.astype(\"float32\")",
             source.where(), type, address.array.substr(address.array.rfind('/') + 1));
    store::Shape const shape = store::shape_of(source.array);
    if (shape.size() < 2)
        fail(Exit::data, "{} has {} axes (must be [N, d], at least two). Write features.reshape(N, -1)",
             source.where(), shape.size());
    if (shape[0] != source.view.info().size)
        fail(Exit::data,
             "{} has {} rows, {} has {} samples (there must be one row per sample of the file). Compute the "
             "features of all samples",
             source.where(), shape[0], source.view.dataset().path().string(), source.view.info().size);
    source.width = std::accumulate(shape.begin() + 1, shape.end(), std::uint64_t{1}, std::multiplies<>());
    if (source.width == 0)
        fail(Exit::data, "{} holds no values (its shape is {}). Write at least one per row", source.where(),
             fmt::join(shape, "x"));
    store::require_written(source.array, address.file, address.array);
}

// Without a branch per value, so that the compiler can take many at once
bool all_finite(std::span<float const> values) {
    bool finite = true;
    for (float const value : values)
        finite &= std::abs(value) <= std::numeric_limits<float>::max();
    return finite;
}

void require_good_row(Source const& source, std::uint64_t row, std::span<float const> values) {
    auto const id = [&] { return source.view.dataset().ids(row, row + 1)[0]; };
    if (!all_finite(values))
        fail(Exit::data, "{} has {} in row {} (id {}); features must be finite. Correct or drop the sample",
             source.where(), *std::ranges::find_if_not(values, [](float v) { return std::isfinite(v); }), row,
             id());
    if (source.check == RowCheck::direction && std::ranges::all_of(values, [](float v) { return v == 0; }))
        fail(Exit::data,
             "{} is all zeros in row {} (id {}); the cosine, and features.normalise=\"l2\", need a "
             "direction. Drop "
             "the sample, or use neither",
             source.where(), row, id());
}

void read(Source const& source, std::uint64_t begin, std::uint64_t count, std::span<float> out) {
    if (out.size() != count * source.width || begin + count > source.view.size())
        fail(Exit::internal, "{}: {} rows of {} from {} do not go into {} values", source.where(), count,
             source.width, begin, out.size());
    std::vector<std::uint64_t> const rows = source.view.rows().between(begin, begin + count);
    data::for_each_run(rows, [&](std::uint64_t first, std::uint64_t length, std::size_t at) {
        store::in_file(source.address.file, Exit::io, "Is the file damaged, or the disk?", [&] {
            store::read_rows_as_float(source.array, first, length,
                                      out.subspan(at * source.width, length * source.width));
        });
    });
    for (std::size_t i = 0; i < rows.size(); ++i)
        require_good_row(source, rows[i], out.subspan(i * source.width, source.width));
}

} // namespace

ArrayAddress parse_array_address(std::string const& key, std::string const& text) {
    std::size_t const colon = text.rfind(":/");
    if (colon == std::string::npos || colon == 0 || colon + 2 == text.size())
        fail(Exit::usage, "{}='{}' names no array (must be FILE:/ARRAY). Write e.g. 'features.h5:/train'",
             key, text);
    return {text.substr(0, colon), text.substr(colon + 1)};
}

FeatureMatrix given_features(ArrayAddress const& address, data::View const& view, RowCheck check) {
    auto source = std::make_shared<Source>(Source{address, view, check, {}, 0});
    store::in_file(address.file, Exit::data, "The file is damaged or truncated: make it again",
                   [&] { open(*source); });
    FeatureMatrix features{source->where(), view.size(), source->width, {}};
    features.read = [source](std::uint64_t begin, std::uint64_t count, std::span<float> out) {
        read(*source, begin, count, out);
    };
    return features;
}

FeatureMatrix data_set_pixels(data::View const& view, RowCheck check) {
    return given_features({view.dataset().path(), "/samples"}, view, check);
}

void require_same_width(FeatureMatrix const& a, FeatureMatrix const& b) {
    if (a.width != b.width)
        fail(Exit::data,
             "{} has {} values per row, {} has {} (rows of one space have as many). Compute both in one way",
             a.name, a.width, b.name, b.width);
}

void check_features(FeatureMatrix const& features, std::uint64_t begin, std::uint64_t end,
                    std::function<void(std::span<float>, std::uint64_t)> const& check) {
    constexpr std::uint64_t kPiece = 1 << 20; // values
    std::uint64_t const rows = std::max<std::uint64_t>(1, kPiece / features.width);
    std::vector<float> values;
    for (std::uint64_t first = begin; first < end; first += rows) {
        std::uint64_t const count = std::min(rows, end - first);
        values.resize(count * features.width);
        features.read(first, count, values);
        for (std::uint64_t i = 0; check && i < count; ++i)
            check(std::span(values).subspan(i * features.width, features.width), first + i);
    }
}

} // namespace assay::valuation
