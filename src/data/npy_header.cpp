#include "data/npy_header.hpp"

#include "assay/base/error.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace assay::data {

namespace {

[[noreturn]] void bad_header(InputFile const& file, std::string_view why) {
    fail(Exit::data, "{}: not a .npy file that can be read ({}). Write it with numpy.save",
         file.path().string(), why);
}

// What follows `'key':` in the header, a Python dictionary that numpy writes on one line
std::string_view value_of(InputFile const& file, std::string_view header, std::string_view key) {
    auto const quoted = fmt::format("'{}'", key);
    auto at = header.find(quoted);
    if (at != std::string_view::npos)
        at = header.find(':', at + quoted.size());
    if (at != std::string_view::npos)
        at = header.find_first_not_of(' ', at + 1);
    if (at == std::string_view::npos)
        bad_header(file, fmt::format("its header has no {}", quoted));
    return header.substr(at);
}

std::string parse_type(InputFile const& file, std::string_view value) {
    auto const end = value.find('\'', 1);
    if (value.front() != '\'' || end == std::string_view::npos)
        bad_header(file, "its type is structured, plain numbers are expected");
    return std::string(value.substr(1, end - 1));
}

store::Shape parse_shape(InputFile const& file, std::string_view value) {
    auto const end = value.find(')');
    if (value.front() != '(' || end == std::string_view::npos)
        bad_header(file, "its shape is no tuple");
    store::Shape shape;
    value = value.substr(1, end - 1);
    for (;;) {
        value.remove_prefix(std::min(value.find_first_not_of(", "), value.size()));
        if (value.empty())
            return shape;
        std::uint64_t extent = 0;
        auto const [stop, error] = std::from_chars(value.data(), value.data() + value.size(), extent);
        if (error != std::errc())
            bad_header(file, "its shape has something other than integers");
        shape.push_back(extent);
        value.remove_prefix(static_cast<std::size_t>(stop - value.data()));
    }
}

// The digits of "|u1", "<f4", "<i8"; for texts, "<U2", they do not count bytes
std::uint64_t item_bytes(InputFile const& file, std::string_view type) {
    std::uint64_t bytes = 0;
    bool const number = type.size() > 2 && std::string_view("biufc").find(type[1]) != std::string_view::npos;
    if (!number || std::from_chars(type.data() + 2, type.data() + type.size(), bytes).ec != std::errc())
        bad_header(file, fmt::format("its type '{}' is no plain number", type));
    return bytes;
}

} // namespace

NpyHeader read_npy_header(InputFile& file) {
    std::array<std::byte, 8> start;
    file.read(start);
    auto const byte = [&](std::size_t i) { return std::to_integer<unsigned>(start[i]); };
    if (std::string_view(reinterpret_cast<char const*>(start.data()), 6) != "\x93NUMPY")
        bad_header(file, "it does not start with \\x93NUMPY");
    if (byte(6) < 1 || byte(6) > 3)
        bad_header(file, fmt::format("format version {}.{}, known are 1.0, 2.0 and 3.0", byte(6), byte(7)));
    std::vector<std::byte> length(byte(6) == 1 ? 2 : 4); // little-endian
    file.read(length);
    std::size_t bytes = 0;
    for (std::size_t i = length.size(); i-- > 0;)
        bytes = bytes << 8 | std::to_integer<std::size_t>(length[i]);
    if (bytes > 1 << 20)
        bad_header(file, fmt::format("its header has {} bytes", bytes));
    std::string header(bytes, '\0');
    file.read(std::as_writable_bytes(std::span(header)));

    NpyHeader const result{parse_type(file, value_of(file, header, "descr")),
                           parse_shape(file, value_of(file, header, "shape"))};
    if (!value_of(file, header, "fortran_order").starts_with("False"))
        fail(Exit::data, "{}: in Fortran order (C order is expected). Save numpy.ascontiguousarray(x)",
             file.path().string());
    std::uint64_t size = item_bytes(file, result.type);
    for (auto const extent : result.shape)
        if (__builtin_mul_overflow(size, extent, &size))
            bad_header(file, "its shape overflows");
    file.require_rest(size);
    return result;
}

} // namespace assay::data
