#include "assay/data/sample_array.hpp"

#include "data/column.hpp"

#include "assay/store/array.hpp"

#include <algorithm>
#include <limits>

namespace assay::data {

namespace {

// An open array of the view's file
struct Source {
    View view;
    std::string name; // absolute
    store::Handle array;
    std::uint64_t width = 1;

    std::filesystem::path const& path() const { return view.dataset().path(); }
    std::string where() const { return fmt::format("{}: {}", path().string(), name); }
};

std::string absolute(std::string const& name) {
    return name.starts_with('/') ? name : "/" + name;
}

std::shared_ptr<Source const> open_source(View const& view, std::string const& name, ColumnRule const& rule) {
    auto source = std::make_shared<Source>(Source{view, absolute(name), {}, 1});
    store::in_file(source->path(), Exit::data, "Check the array's name; is the file damaged?", [&] {
        source->array = open_column(store::open_to_read(source->path()), source->path(), source->name, rule,
                                    view.info().size);
        if (rule.axes == 2)
            source->width = store::shape_of(source->array)[1];
    });
    return source;
}

template <class Stored>
[[noreturn]] void refuse(Source const& source, std::uint64_t row, std::size_t column, Stored value,
                         char const* must_be) {
    fail(Exit::data, "{} is {} at row {}{} (id {}); it must be {}. Correct or drop the sample",
         source.where(), value, row, source.width > 1 ? fmt::format(", column {}", column) : "",
         source.view.dataset().ids(row, row + 1)[0], must_be);
}

// Reads values as they are stored, makes sure that they are good, and hands them on as T
template <class T, class Stored, class Good>
SampleArray<T> checked(std::shared_ptr<Source const> const& source, Good good, char const* must_be) {
    auto const read = [source, good, must_be](std::uint64_t begin, std::uint64_t end) {
        std::vector<std::uint64_t> const rows = source->view.rows().between(begin, end);
        std::vector<Stored> values(rows.size() * source->width);
        for_each_run(rows, [&](std::uint64_t first, std::uint64_t count, std::size_t at) {
            store::in_file(source->path(), Exit::io, "Is the file damaged, or the disk?", [&] {
                store::read_rows(source->array, first, count, store::native_type<Stored>(),
                                 values.data() + at * source->width);
            });
        });
        auto const bad = std::ranges::find_if_not(values, good);
        if (bad != values.end()) {
            auto const at = static_cast<std::size_t>(bad - values.begin());
            refuse(*source, rows[at / source->width], at % source->width, *bad, must_be);
        }
        std::vector<T> result(values.size());
        std::ranges::transform(values, result.begin(), [](Stored value) { return static_cast<T>(value); });
        return result;
    };
    return {source->where(), source->width, {}, read};
}

// An array of strings, of fixed length or, as h5py writes str, of any
std::vector<std::string> read_strings(store::Handle const& attribute, std::uint64_t count) {
    store::Handle const type(H5Aget_type(attribute.id()), "names");
    if (H5Tis_variable_str(type.id()) > 0) {
        std::vector<char*> texts(count, nullptr);
        store::require(H5Aread(attribute.id(), type.id(), texts.data()), "names");
        std::vector<std::string> names;
        for (char* text : texts) {
            names.emplace_back(text ? text : "");
            H5free_memory(text);
        }
        return names;
    }
    std::size_t const width = H5Tget_size(type.id());
    std::string text(count * width, '\0');
    store::require(H5Aread(attribute.id(), type.id(), text.data()), "names");
    std::vector<std::string> names;
    for (std::size_t i = 0; i < count; ++i)
        names.emplace_back(text.substr(i * width, width).c_str()); // up to the padding
    return names;
}

std::vector<std::string> column_names(Source const& source) {
    if (H5Aexists(source.array.id(), "names") <= 0)
        return {};
    store::Handle const attribute(H5Aopen(source.array.id(), "names", H5P_DEFAULT), "names");
    store::Handle const type(H5Aget_type(attribute.id()), "names");
    store::Handle const space(H5Aget_space(attribute.id()), "names");
    auto const count = static_cast<std::uint64_t>(H5Sget_simple_extent_npoints(space.id()));
    if (H5Tget_class(type.id()) != H5T_STRING || count != source.width)
        fail(Exit::data, "{} has an attribute `names` that is not {} strings (one per column). Correct it",
             source.where(), source.width);
    std::vector<std::string> names = read_strings(attribute, count);
    std::vector<std::string> sorted = names;
    std::ranges::sort(sorted);
    if (auto const twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
        fail(Exit::data, "{} has the name '{}' twice in its attribute `names`. Correct it", source.where(),
             *twice);
    return names;
}

SampleArray<std::uint8_t> zeros_and_ones(std::shared_ptr<Source const> const& source) {
    return checked<std::uint8_t, std::uint8_t>(
        source, [](std::uint8_t value) { return value <= 1; }, "0 or 1");
}

} // namespace

bool has_sample_array(Dataset const& dataset, std::string const& name) {
    return store::exists(store::open_to_read(dataset.path()), absolute(name));
}

SampleArray<std::int64_t> open_groups(View const& view, std::string const& name) {
    auto const source = open_source(view, name, {"integer", 1});
    if (store::type_name(source->array) != "uint64")
        return checked<std::int64_t, std::int64_t>(
            source, [](std::int64_t) { return true; }, "");
    // HDF5 would make one group of all that is too large
    return checked<std::int64_t, std::uint64_t>(
        source, [](std::uint64_t value) { return value <= std::numeric_limits<std::int64_t>::max(); },
        "below 2^63");
}

SampleArray<std::uint8_t> open_attributes(View const& view, std::string const& name) {
    auto const source = open_source(view, name, {"uint8", 2});
    SampleArray<std::uint8_t> attributes = zeros_and_ones(source);
    attributes.columns = store::in_file(source->path(), Exit::data, "Is the file damaged?",
                                        [&] { return column_names(*source); });
    return attributes;
}

SampleArray<float> open_quality(View const& view, std::string const& name) {
    auto const good = [](double value) { return value >= 0 && value <= std::numeric_limits<float>::max(); };
    return checked<float, double>(open_source(view, name, {"float", 1}), good,
                                  "a finite float32 and not negative");
}

SampleArray<std::uint8_t> open_flags(View const& view, std::string const& name) {
    return zeros_and_ones(open_source(view, name, {"uint8", 1}));
}

} // namespace assay::data
