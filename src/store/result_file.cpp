#include "assay/store/result_file.hpp"

#include "assay/base/fault.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/store/array.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <exception>
#include <functional>
#include <limits>
#include <numeric>

#include <fcntl.h>
#include <unistd.h>

namespace assay::store {

namespace {

constexpr std::size_t kMetricTextSize = 256;
constexpr char const* kDone = "/ledger/shard_done";
constexpr char const* kChecksum = "/ledger/shard_checksum";

bool is_float32(Column const& column) {
    return H5Tequal(column.type, native_type<float>()) > 0;
}

void describe(Handle const& file, Column const& column) {
    write_string(file, column.path, "description", column.description);
    write_string(file, column.path, "units", column.units);
    if (!column.larger_means.empty())
        write_string(file, column.path, "larger_means", column.larger_means);
}

void create_contents(Handle const& file, ResultLayout const& layout) {
    for (Column const& column : layout.columns) {
        create_dataset(file, column.path, column.type, column.shape,
                       is_float32(column) ? Fill::nothing : Fill::missing); // see fill_with_nan()
        describe(file, column);
    }
    fault_point("create");
    create_dataset(file, kDone, native_type<std::uint8_t>(), {layout.shards});
    create_dataset(file, kChecksum, native_type<std::uint64_t>(), {layout.shards});
    describe(file, {kDone, -1, {}, "1: the shard's data is on disk", "1", ""});
    describe(file, {kChecksum, -1, {}, "CRC-32 of the shard's columns, in their order here", "1", ""});
    for (auto const& [name, value] : layout.text)
        write_string(file, "/", name, value);
    for (auto const& [name, value] : layout.numbers)
        write_number(file, "/", name, value);
    for (auto const& [group, names] : layout.metric_names) {
        if (!exists(file, group))
            create_group(file, group);
        for (std::string const& name : names)
            write_number(file, group, name, std::numeric_limits<double>::quiet_NaN());
    }
    for (auto const& [group, names] : layout.metric_texts)
        for (std::string const& name : names)
            write_string(file, group, name, "", kMetricTextSize);
}

// Takes the disk space of a file whose end is already set: later writes then find room
void reserve(std::filesystem::path const& path) {
    int const descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    int const reason =
        descriptor < 0
            ? errno
            : ::posix_fallocate(descriptor, 0, static_cast<off_t>(std::filesystem::file_size(path)));
    if (descriptor >= 0)
        ::close(descriptor);
    if (reason != 0)
        fail(Exit::io, "no room for {} bytes: {}", std::filesystem::file_size(path), std::strerror(reason));
}

// Root alone, so that a full disk fails here and on no other rank, in the middle of calls that all must make
void create_alone(std::filesystem::path const& path, ResultLayout const& layout) {
    Handle file;
    std::filesystem::path const unborn = unborn_of(path);
    std::optional<Error> const problem = comm::attempt([&] {
        file = create_file(unborn);
        create_contents(file, layout);
        require(H5Fflush(file.id(), H5F_SCOPE_GLOBAL), "flushing");
        reserve(unborn);
        file.close();
        std::filesystem::rename(unborn, partial_of(path)); // a partial file that exists can be gone on with
    });
    if (!problem)
        return;
    file.abandon();          // closing would write, and fail, again
    std::error_code ignored; // what cannot be removed either, on a disk gone read-only, does no harm
    std::filesystem::remove(unborn, ignored);
    fail(Exit::io, "{}: cannot be written ({}). Free space, or choose another --output",
         partial_of(path).string(), problem->what());
}

std::vector<RowRange> single_rows(std::span<std::uint64_t const> rows) {
    std::vector<RowRange> ranges;
    for (std::uint64_t row : rows)
        ranges.push_back({row, 1});
    return ranges;
}

template <class T>
void write_table(Handle const& file, std::string const& path, std::vector<T> const& values) {
    Handle const table = open_dataset(file, path);
    Shape const shape = shape_of(table);
    if (std::accumulate(shape.begin(), shape.end(), std::uint64_t{1}, std::multiplies<>()) != values.size())
        fail(Exit::internal, "{} is [{}], and has {} values", path, fmt::join(shape, ", "), values.size());
    write_rows(table, 0, shape.front(), native_type<T>(), values.data());
}

void write_metrics(Handle const& file, Metrics const& metrics) {
    for (auto const& [name, value] : metrics.numbers)
        write_number(file, metrics.group, name, value);
    for (auto const& [name, value] : metrics.texts)
        write_string(file, metrics.group, name, value, kMetricTextSize);
    for (auto const& [name, values] : metrics.tables)
        write_table(file, metrics.group + "/" + name, values);
    for (auto const& [name, values] : metrics.integers)
        write_table(file, metrics.group + "/" + name, values);
}

// Runs `work`, which writes PATH.partial; what fails is an Error(io) that says how to go on
void write_to(std::filesystem::path const& path, std::function<void()> const& work) {
    if (std::optional<Error> const problem = comm::attempt(work))
        fail(Exit::io, "{}: {}. Free space or mend the disk, then run again with --resume",
             partial_of(path).string(), problem->what());
}

} // namespace

std::filesystem::path partial_of(std::filesystem::path path) {
    path += ".partial";
    return path;
}

std::filesystem::path unborn_of(std::filesystem::path path) {
    path += ".partial.new";
    return path;
}

void sync_to_disk(std::filesystem::path const& path) {
    int const descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    bool const synced = descriptor >= 0 && ::fsync(descriptor) == 0;
    int const reason = errno;
    if (descriptor >= 0)
        ::close(descriptor);
    if (!synced)
        fail(Exit::io, "{}: cannot be made durable ({}). Mend the disk, then run again with --resume",
             path.string(), std::strerror(reason));
}

bool ResultFile::has_partial(std::filesystem::path const& path) {
    return std::filesystem::exists(partial_of(path));
}

ResultFile ResultFile::create(comm::Communicator const& comm, std::filesystem::path path,
                              ResultLayout const& layout) {
    comm::agree(comm, [&] {
        if (comm.is_root())
            create_alone(path, layout);
    });
    ResultFile file = reopen(comm, std::move(path));
    for (Column const& column : layout.columns)
        if (is_float32(column))
            file.fill_with_nan(column);
    return file;
}

ResultFile ResultFile::reopen(comm::Communicator const& comm, std::filesystem::path path) {
    ResultFile result(comm, std::move(path));
    comm::agree(comm, [&] {
        if (std::optional<Error> const problem = comm::attempt([&] {
                result.file_ = open_to_write(partial_of(result.path_), comm);
                result.load_ledger();
            }))
            fail(Exit::data, "{}: cannot be gone on with ({}). Start again with --overwrite",
                 partial_of(result.path_).string(), problem->what());
    });
    comm::broadcast_bytes(comm, result.done_.data(), result.done_.size());
    return result;
}

ResultFile::~ResultFile() {
    // While an exception unwinds, other ranks may be elsewhere, and closing waits for them
    if (file_ && std::uncaught_exceptions() > 0) {
        for (auto& [path, handle] : open_)
            handle.abandon();
        file_.abandon();
    }
}

Handle const& ResultFile::dataset(std::string const& path) const {
    auto [place, is_new] = open_.try_emplace(path);
    if (is_new)
        place->second = open_dataset(file_, path);
    return place->second;
}

void ResultFile::agree_on_writing(std::function<void()> const& work) {
    comm::agree(comm_, [&] { write_to(path_, work); });
}

void ResultFile::write_ranges_of(std::string const& column, std::span<RowRange const> ranges, hid_t type,
                                 void const* values) {
    agree_on_writing([&] { write_ranges(dataset(column), ranges, type, values, !comm_.is_serial()); });
}

// Who reads an unfinished file must not take 0 for a score
void ResultFile::fill_with_nan(Column const& column) {
    constexpr std::uint64_t kPiece = 1 << 20;
    auto const ranks = static_cast<std::uint64_t>(comm_.size()),
               rank = static_cast<std::uint64_t>(comm_.rank());
    std::uint64_t const rows = column.shape.front(), end = rows * (rank + 1) / ranks;
    std::uint64_t const width = row_size(dataset(column.path));
    std::uint64_t const longest = rows == 0 ? 0 : rows / ranks + 1;
    std::vector<float> const nan(std::min(kPiece, longest) * width, std::numeric_limits<float>::quiet_NaN());
    for (std::uint64_t done = 0; done < longest; done += kPiece) {
        std::uint64_t const begin = std::min(end, rows * rank / ranks + done);
        RowRange const mine{begin, std::min(kPiece, end - begin)};
        write_ranges_of(column.path, {&mine, mine.count ? std::size_t{1} : 0}, column.type, nan.data());
    }
}

std::optional<std::vector<double>> ResultFile::kept(std::string const& column) const {
    std::vector<double> values;
    comm::agree(comm_, [&] {
        Handle const& opened = dataset(column);
        std::uint64_t const rows = shape_of(opened).front();
        values.resize(rows * row_size(opened));
        if (comm_.is_root())
            read_rows(opened, 0, rows, native_type<double>(), values.data());
    });
    comm::broadcast_bytes(comm_, values.data(), values.size() * sizeof(double));
    if (std::any_of(values.begin(), values.end(), [](double value) { return std::isnan(value); }))
        return std::nullopt;
    return values;
}

void ResultFile::keep(std::string const& column, std::span<double const> values) {
    std::uint64_t const rows = shape_of(dataset(column)).front();
    RowRange const all{0, rows};
    bool const root = comm_.is_root();
    write<double>(column, {&all, root ? std::size_t{1} : 0}, values.first(root ? values.size() : 0));
    commit({});
}

void ResultFile::write_checksums(std::span<std::uint64_t const> shards,
                                 std::span<std::uint64_t const> values) {
    write<std::uint64_t>(kChecksum, single_rows(shards), values);
}

std::uint64_t ResultFile::checksum(std::uint64_t shard) const {
    std::uint64_t value = 0;
    read_rows(dataset(kChecksum), shard, 1, native_type<std::uint64_t>(), &value);
    return value;
}

void ResultFile::write_flags(std::span<std::uint64_t const> shards, std::uint8_t flag) {
    std::vector<std::uint8_t> const flags(shards.size(), flag);
    write<std::uint8_t>(kDone, single_rows(shards), flags);
    for (std::uint64_t shard : comm::all_gather(comm_, shards))
        done_[shard] = flag;
}

void ResultFile::commit(std::span<std::uint64_t const> shards) {
    agree_on_writing([&] { require(H5Fflush(file_.id(), H5F_SCOPE_GLOBAL), "flushing"); });
    fault_point("mark");
    write_flags(shards, 1);
}

void ResultFile::forget(std::span<std::uint64_t const> shards) {
    write_flags(shards, 0);
}

// Root reads for all; the others only learn how much there is to receive
void ResultFile::load_ledger() {
    Handle const& flags = dataset(kDone);
    Shape const shape = shape_of(flags);
    if (shape.size() != 1 || shape_of(dataset(kChecksum)) != shape)
        fail(Exit::data, "{} is [{}] and {} [{}]", kDone, fmt::join(shape, ", "), kChecksum,
             fmt::join(shape_of(dataset(kChecksum)), ", "));
    require_written(flags, partial_of(path_), kDone);
    done_.resize(shape.front());
    if (comm_.is_root())
        read_rows(flags, 0, done_.size(), native_type<std::uint8_t>(), done_.data());
}

std::string ResultFile::text(std::string const& name) const {
    return read_string(file_, "/", name).value_or("");
}

std::int64_t ResultFile::number(std::string const& name) const {
    return read_number(file_, "/", name).value_or(0);
}

void ResultFile::close() {
    agree_on_writing([&] {
        herr_t const flushed = H5Fflush(file_.id(), H5F_SCOPE_GLOBAL);
        open_.clear();
        file_.close();
        require(flushed, "flushing");
    });
}

void complete(std::filesystem::path const& path, std::span<Metrics const> metrics,
              std::vector<std::pair<std::string, std::string>> const& text,
              std::vector<std::pair<std::string, std::int64_t>> const& numbers) {
    Handle file;
    write_to(path, [&] {
        file = open_to_write(partial_of(path));
        for (Metrics const& group : metrics)
            write_metrics(file, group);
        for (auto const& [name, value] : text)
            write_string(file, "/", name, value);
        for (auto const& [name, value] : numbers)
            write_number(file, "/", name, value);
        require(H5Fflush(file.id(), H5F_SCOPE_GLOBAL), "flushing");
        write_string(file, "/", "status",
                     "complete"); // after the flush: never "complete" without its metrics
        require(H5Fflush(file.id(), H5F_SCOPE_GLOBAL), "flushing");
        file.close();
    });
    sync_to_disk(partial_of(path));
    fault_point("rename");
    write_to(path, [&] { std::filesystem::rename(partial_of(path), path); });
    sync_to_disk(std::filesystem::absolute(path).parent_path());
}

} // namespace assay::store
