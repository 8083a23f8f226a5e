//! Neighbour lists of many queries, block by block into a results file that can be gone on with.
#pragma once

#include "assay/comm/communicator.hpp"
#include "assay/pass/shards.hpp"
#include "assay/store/result_file.hpp"
#include "assay/valuation/features.hpp"
#include "assay/valuation/training_rows.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace assay::valuation {

//! The same rows and queries in another space, in which the nearest `candidates` of the first are put in
//! order.
struct Rerank {
    FeatureMatrix training, queries;
    std::int64_t candidates = 0; //!< at least k
};

//! One search: the k nearest rows of `training` for each of `queries`.
struct Search {
    std::string name; //!< of the queries, for messages
    FeatureMatrix training, queries;
    std::int64_t k = 0; //!< in [1, training.rows]
    std::string group;  //!< lists are written to GROUP/row and GROUP/distance
    std::optional<Rerank> rerank = {};
};

struct SearchPassOptions {
    Distance distance = Distance::l2;
    Storage storage = Storage::float32;
    std::string device = "cpu"; //!< torch's name
    std::uint64_t block = 1024; //!< most queries that are searched for together: a shard of the ledger
    double commit_seconds = 10;
};

//! Announces the lists: GROUP/row int64 [m, k], row numbers of the training matrix, nearest first, and
//! GROUP/distance float64 [m, k]; and as many shards as find_neighbours() counts.
void announce_lists(store::ResultLayout& layout, std::span<Search const> searches,
                    SearchPassOptions const& options);

//! What a search pass did.
struct SearchPassSummary {
    pass::PassSummary shards;
    std::int64_t second_passes = 0; //!< queries for which a rank went through its rows twice, at most
};

//! Collective. Finds the lists that `file` does not hold yet, one search after the other, each with its
//! training rows spread over the ranks. One rank in turn reads a block of queries, which travels to all while
//! they search for the block before. Commits and stops as pass::run_pass(). Errors: TrainingRows, Searcher.
SearchPassSummary find_neighbours(comm::Communicator const& comm, store::ResultFile& file,
                                  std::span<Search const> searches, SearchPassOptions const& options);

} // namespace assay::valuation
