//! The pass that finds neighbours: queries travel in blocks past the training rows, which stay on their
//! ranks; a block is a shard of the results file.
#pragma once

#include "assay/pass/shards.hpp"
#include "assay/store/result_file.hpp"
#include "assay/valuation/features.hpp"
#include "assay/valuation/inverted_lists.hpp"
#include "assay/valuation/neighbours.hpp"
#include "assay/valuation/training_rows.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace assay::valuation {

//! Both sides of a search in one feature space.
struct Space {
    FeatureMatrix training, queries;
    Distance distance = Distance::l2;
    Storage storage = Storage::float32; //!< of training rows and queries alike
};

//! The first k of the `candidates` nearest in the search's own space, by their distance in another.
struct Rerank {
    Space space; //!< as many training rows and queries, in the same order
    std::int64_t candidates = 200;
};

//! The k nearest training rows of every query, to be written to GROUP/row (int64 [queries, k], row numbers of
//! `training`) and GROUP/distance (float64 [queries, k]), ascending by (distance, row).
struct Search {
    std::string name; //!< for messages
    Space space;
    std::int64_t k = 50;
    std::string group; //!< "/neighbours"
    std::optional<Rerank> rerank = {};
    //! Approximate, so that an exact search of some of the queries goes with it. The centroids of its cells
    //! are kept in GROUP/centroid, float64 [lists, width].
    std::optional<IvfOptions> ivf = {};
    //! The group of an earlier search of the same rows whose cells are used; empty: cells of its own.
    std::string cells_of = "";
};

//! Local. How many rows of the search's own space are looked for, of `rows`: k, or the candidates of a
//! re-rank.
std::int64_t proposed(Search const& search, std::int64_t rows);

struct NeighbourOptions {
    std::uint64_t block = 1024; //!< queries; fixes the ledger, leaves no trace in the lists
    double commit_seconds = 10;
    std::string device = "cpu"; //!< torch's name
};

//! Local. The blocks of all searches, numbered through: the ledger's shards.
pass::ShardPlan neighbour_shards(std::span<Search const> searches, std::uint64_t block);
//! Local. What a search writes, for the layout of the results file.
std::vector<store::Column> neighbour_columns(Search const& search);

//! Collective. Finds the lists that `file` does not hold yet; what is marked done but does not match its
//! checksum is computed again. One rank in turn reads a block of queries and broadcasts it while the block
//! before is computed; the same rank receives and writes its lists. A rank holds its slice of the training
//! rows (of one search at a time), two blocks of queries and the candidates of one. On a stop request the
//! work so far is committed and Error(stopped) thrown on all ranks.
pass::PassSummary find_neighbours(comm::Communicator const& comm, store::ResultFile& file,
                                  std::span<Search const> searches, NeighbourOptions const& options);

} // namespace assay::valuation
