//! Approximate nearest rows, for those who ask: only the lists of the cells nearest to a query are looked
//! through (IVF-Flat). Their rows get exact keys and are merged as the exact search does it, so only recall
//! is approximate: it must be measured and reported.
#pragma once

#include "assay/valuation/training_rows.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace assay::valuation {

//! Training rows of each cell in the sample that places the cells.
inline constexpr std::int64_t kSampleOfEachCell = 64;
//! `wanted`, or the default number for so many rows.
std::int64_t number_of_cells(std::uint64_t rows, std::int64_t wanted);

struct IvfOptions {
    std::int64_t lists = 0;   //!< cells; 0: 4 sqrt(N)
    std::int64_t probes = 16; //!< cells looked through; more where these hold less than k rows
    std::uint64_t seed = 0;   //!< of the sample that places the cells
};

//! Collective. The centroids of the cells, [lists, width], by k-means (faiss, 10 iterations on 64 rows per
//! cell, drawn by hash, on root). Their bits repeat on the same machine with the same number of threads only:
//! whoever goes on with a search elsewhere must keep them. Root holds the sample twice meanwhile.
//! Error(usage) unless lists are at most the rows.
std::vector<float> place_cells(TrainingRows const& rows, IvfOptions const& options);

//! The rows of each cell, on the rank that holds them. `rows` must outlive it. The same on any number of
//! ranks.
class InvertedLists {
  public:
    //! Collective. centroids: as place_cells() returns them.
    InvertedLists(TrainingRows const& rows, std::vector<float> centroids, std::int64_t probes);
    ~InvertedLists();
    InvertedLists(InvertedLists&&) noexcept;

    //! Collective; as Searcher::search().
    Neighbours search(QueryBlock queries, std::int64_t k, int owner) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace assay::valuation
