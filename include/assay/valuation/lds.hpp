//! Linear datamodeling score: does credit predict what models trained on subsets put out? (Park et al. 2023)
#pragma once

#include "assay/valuation/bootstrap.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace assay::valuation {

//! Models that the user trained on subsets of the training samples, and what they put out for the generated
//! samples.
class SubsetModels {
  public:
    //! Local (root). Reads /masks, uint8 [M, rows], 1 = the subset has the row; and checks that /outputs is
    //! float64 [M, queries]: a number per generated sample, larger where the model likes it better (minus the
    //! loss). Where the file has /ids and /generated_ids (`assay sweep` writes them), they must be `ids` and
    //! `generated_ids`. Error(data) naming what is wrong. Keeps 8 bytes per row and 64 subsets.
    SubsetModels(std::filesystem::path const& path, std::span<std::uint64_t const> ids,
                 std::span<std::uint64_t const> generated_ids);
    //! The same from memory. masks: [M, rows]; outputs: [M, queries].
    SubsetModels(std::uint64_t subsets, std::vector<std::uint8_t> const& masks, std::vector<double> outputs);

    std::uint64_t subsets() const { return subsets_; }
    //! Local. Reads all outputs once. Error(data) naming the first that is not finite.
    void check_outputs() const;
    //! [count, M] outputs for generated samples from `begin` on.
    std::vector<double> outputs(std::uint64_t begin, std::uint64_t count) const;
    //! Adds `weight` to the sums of the subsets that have the row.
    void add(std::uint64_t row, double weight, std::span<double> sums) const;

  private:
    void set_masks(std::uint64_t subset, std::span<std::uint8_t const> mask);

    std::uint64_t subsets_ = 0, queries_ = 0, words_ = 0;
    std::vector<std::uint64_t> bits_; // [rows, words]
    std::filesystem::path path_;      // empty: in memory
    std::vector<double> outputs_;
};

struct Lds {
    double mean = 0;      //!< over generated samples; 0 for credit without meaning, 1 at best
    Interval interval{};  //!< over the draw of the subsets, which all generated samples share
    double sd = 0;        //!< over generated samples
    double chance_sd = 0; //!< of one sample's score if credit has no meaning: 1/sqrt(M - 1)
    std::uint64_t subsets = 0, queries = 0;
    std::uint64_t constant =
        0; //!< generated samples whose credit or outputs are the same for all subsets: they count 0
};

//! Spearman's correlation with mid-ranks, element s counting counts[s] times; NaN where a side is constant.
double spearman(std::span<double const> x, std::span<double const> y, std::span<std::uint32_t const> counts);

//! Collects the scores of the generated samples, one by one.
class LdsSum {
  public:
    LdsSum(std::uint64_t subsets, std::uint64_t replicates, std::uint64_t seed);
    //! predicted, put_out: [M], what the credit says and what the models say of one generated sample.
    void add(std::span<double const> predicted, std::span<double const> put_out);
    Lds result(double confidence) const;

  private:
    std::uint64_t subsets_, queries_ = 0, constant_ = 0;
    double sum_ = 0, squares_ = 0;
    std::vector<std::vector<std::uint32_t>> counts_; // [B] how often a replicate has a subset
    std::vector<double> replicate_sums_;
};

} // namespace assay::valuation
