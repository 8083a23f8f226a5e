#include "data/column.hpp"

#include "assay/store/array.hpp"

namespace assay::data {

namespace {

bool fits(std::string const& type, std::string const& rule) {
    if (rule == "integer")
        return type.starts_with("int") || type.starts_with("uint");
    if (rule == "float")
        return type.starts_with("float") || type == "bfloat16";
    return type == rule;
}

// What to write instead, as NumPy calls it
std::string numpy_type(std::string const& rule) {
    return rule == "integer" ? "int64" : rule == "float" ? "float32" : rule;
}

} // namespace

store::Handle open_column(store::Handle const& file, std::filesystem::path const& path,
                          std::string const& name, ColumnRule const& rule, std::uint64_t size) {
    auto column = store::open_array(file, path, name);
    std::string const where = fmt::format("{}: {}", path.string(), name);
    std::string const variable = name.substr(name.rfind('/') + 1);
    if (auto const found = store::type_name(column); !fits(found, rule.type))
        fail(Exit::data, "{} is {} (must be {}). Write {}.astype(\"{}\")", where, found, rule.type, variable,
             numpy_type(rule.type));
    auto const shape = store::shape_of(column);
    if (shape.size() != rule.axes)
        fail(Exit::data, "{} has {} axes (must be {}). Write {}.reshape({})", where, shape.size(),
             rule.axes == 1 ? "[N]" : "[N, a]", variable, rule.axes == 1 ? "-1" : "N, -1");
    if (shape[0] != size)
        fail(Exit::data, "{} has {} entries, /samples {} (there must be one per sample). Write them again",
             where, shape[0], size);
    if (shape.back() == 0)
        fail(Exit::data, "{} has no values (its shape is {}). Write at least one per sample", where,
             fmt::join(shape, "x"));
    store::require_written(column, path, name);
    return column;
}

} // namespace assay::data
