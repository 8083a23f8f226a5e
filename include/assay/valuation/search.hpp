//! Exact nearest rows. A matrix product in single precision proposes, exact keys decide, and a rounding bound
//! makes sure that nothing was missed: results have the same bits on any number of ranks and threads, for any
//! tiles, on any device.
#pragma once

#include "assay/valuation/training_rows.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace assay::valuation {

struct SearchOptions {
    std::string device = "cpu"; //!< torch's name, "cuda:1"; another device holds a copy of the slice
    std::int64_t row_tile = 0;  //!< training rows multiplied at a time; 0: what fits the device's caches
    //! Whether each tile's smallest are found there and only they are copied; by default not on a CPU.
    std::optional<bool> select_on_device = {};
};

//! The exact search through the training rows, which must outlive it.
//!
//! Approximate keys a_ij = |x_i|^2 - 2 <x_i, y_j> (inner product: -<x_i, y_j>) differ from exact ones by E_j
//! at most (rounding_bound()) and a term that all rows of a query share. Each rank lists its smallest a_ij,
//! somewhat more than k of them; with t_j the k-th smallest of all ranks, every one of the k nearest rows has
//! a_ij <= t_j + 2 E_j. Those rows get their exact keys, and the k smallest by (key, row) of all ranks are
//! the answer. A rank whose list ends below t_j + 2 E_j goes through its slice again (second pass).
class Searcher {
  public:
    //! Local.
    Searcher(TrainingRows const& rows, SearchOptions const& options = {});
    ~Searcher();
    Searcher(Searcher&&) noexcept;

    //! Collective; all ranks pass the same. The k nearest rows of each query, on rank `owner`; empty lists
    //! elsewhere. Errors: TrainingRows::prepare(). `between_tiles` is called now and then on the calling
    //! thread; it may call MPI, but nothing collective that waits.
    Neighbours search(QueryBlock queries, std::int64_t k, int owner,
                      std::function<void()> const& between_tiles = {});

    //! Queries so far for which this rank went through its slice twice; depends on the number of ranks.
    std::int64_t second_passes() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

//! Collective; all ranks pass the same. Of each query's `candidates` ([n, c] rows, each once, c >= k) the k
//! nearest by exact key, on rank `owner`; empty lists elsewhere. Re-ranks in another feature space what was
//! found in one.
Neighbours nearest_among(TrainingRows const& rows, QueryBlock queries,
                         std::span<std::int64_t const> candidates, std::int64_t k, int owner);

} // namespace assay::valuation
