//! The results file: columns over samples, a ledger of finished shards, metrics. Written by all ranks
//! together into PATH.partial, which gets its final name only when complete. The protocol is explained in
//! docs/pass.md.
#pragma once

#include "assay/store/hdf5.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace assay::store {

//! One dataset of the file, with the attributes that let a stranger read it.
struct Column {
    std::string path; //!< "/signals/loss"
    hid_t type = -1;  //!< in the file and in memory alike
    Shape shape;      //!< {N} or {N, k}
    std::string description;
    std::string units = "1";
    std::string larger_means; //!< "member", …; empty where it does not apply
};

//! Everything the file will ever hold, fixed before the first sample is computed: a killed job's file can
//! only be opened again if no metadata changed after the first flush.
struct ResultLayout {
    std::vector<Column> columns;
    std::uint64_t shards = 0;
    std::vector<std::pair<std::string, std::string>> text;     //!< root attributes
    std::vector<std::pair<std::string, std::int64_t>> numbers; //!< root attributes
    std::map<std::string, std::vector<std::string>>
        metric_names; //!< group -> scalar attributes, NaN until set
    std::map<std::string, std::vector<std::string>> metric_texts; //!< group -> text attributes (256 bytes)
};

//! An open results file. All members are collective unless they say otherwise; each throws on all ranks
//! together.
class ResultFile {
  public:
    //! Replaces PATH.partial: root creates everything in `layout` and takes the space, then all open it and
    //! together fill float32 columns with NaN. Error(io) if the disk is full. The caller has checked that
    //! PATH may be made.
    static ResultFile create(comm::Communicator const& comm, std::filesystem::path path,
                             ResultLayout const& layout);
    //! Opens PATH.partial to go on with it; Error(data) if it is damaged.
    static ResultFile reopen(comm::Communicator const& comm, std::filesystem::path path);
    //! Does PATH.partial exist? Local.
    static bool has_partial(std::filesystem::path const& path);

    ResultFile(ResultFile&&) = default;
    ~ResultFile();

    //! This rank's ranges of rows of a column, ascending, `values` holding them one after the other;
    //! ranks without work pass none and still take part. Few calls with much in them are fast.
    template <class T>
    void write(std::string const& column, std::span<RowRange const> ranges, std::span<T const> values) {
        write_ranges_of(column, ranges, native_type<T>(), values.data());
    }
    //! This rank's rows [begin, begin + count) of a column of T, row-major. Local, but for a column's first
    //! use, which opens it.
    template <class T = float>
    std::vector<T> read(std::string const& column, std::uint64_t begin, std::uint64_t count) const {
        Handle const& opened = dataset(column);
        std::vector<T> values(count * row_size(opened));
        read_rows(opened, begin, count, native_type<T>(), values.data());
        return values;
    }

    //! All of a float64 column that keep() has written, the same on all ranks; nothing if any of it is
    //! missing.
    std::optional<std::vector<double>> kept(std::string const& column) const;
    //! Writes all of a float64 column, root's values, and makes it durable: what shards are computed with and
    //! a later run cannot be sure to find again, bit for bit.
    void keep(std::string const& column, std::span<double const> values);

    //! One flag per shard, the same on all ranks. Local: a copy of what is in memory.
    std::vector<std::uint8_t> const& shards_done() const { return done_; }
    //! The checksum recorded for a shard. Local, but for the first use, which opens the column.
    std::uint64_t checksum(std::uint64_t shard) const;
    //! Records the checksums of this rank's shards, ascending.
    void write_checksums(std::span<std::uint64_t const> shards, std::span<std::uint64_t const> values);
    //! Makes everything written so far durable, then flags this rank's `shards`, ascending.
    void commit(std::span<std::uint64_t const> shards);
    //! Forgets shards whose data did not survive.
    void forget(std::span<std::uint64_t const> shards);

    //! Local read of a root attribute.
    std::string text(std::string const& name) const;
    //! Local read of a root attribute; 0 if there is none.
    std::int64_t number(std::string const& name) const;
    //! Flushes and closes, leaving the partial file for complete() or a later run.
    void close();

  private:
    ResultFile(comm::Communicator const& comm, std::filesystem::path path)
        : comm_(comm), path_(std::move(path)) {}
    void write_ranges_of(std::string const& column, std::span<RowRange const> ranges, hid_t type,
                         void const* values);
    void write_flags(std::span<std::uint64_t const> shards, std::uint8_t flag);
    void fill_with_nan(Column const& column);
    void load_ledger();
    void agree_on_writing(std::function<void()> const& work);
    Handle const& dataset(std::string const& path) const;

    comm::Communicator comm_;
    std::filesystem::path path_;
    Handle file_;
    mutable std::map<std::string, Handle> open_;
    std::vector<std::uint8_t> done_;
};

//! What a reduction found, ready for the file: values for the names that the layout announced.
struct Metrics {
    std::string group;                                      //!< "/metrics/usage"
    std::vector<std::pair<std::string, double>> numbers;    //!< NaN where there is no value
    std::vector<std::pair<std::string, std::string>> texts; //!< cut after 256 bytes
    std::vector<std::pair<std::string, std::vector<double>>>
        tables; //!< whole datasets in the group, row-major
    std::vector<std::pair<std::string, std::vector<std::int64_t>>> integers = {}; //!< the same of int64
};

//! Root only, local, after close(): writes metrics (one group each) and root attributes in place, marks
//! PATH.partial complete, makes it durable and renames it to PATH. Error(io), the partial file kept, if any
//! of it fails.
void complete(std::filesystem::path const& path, std::span<Metrics const> metrics,
              std::vector<std::pair<std::string, std::string>> const& text,
              std::vector<std::pair<std::string, std::int64_t>> const& numbers);

//! PATH + ".partial": unfinished.
std::filesystem::path partial_of(std::filesystem::path path);
//! PATH + ".partial.new": not even created to the end; of no use to anyone.
std::filesystem::path unborn_of(std::filesystem::path path);
//! Local. fsync of a file or folder by name; Error(io) if it fails.
void sync_to_disk(std::filesystem::path const& path);

} // namespace assay::store
