//! Counter-based random numbers: a draw is a function of (seed, purpose, id, draw), never of rank or time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace assay {

//! Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

//! A stream of draws that belongs to one (seed, purpose, id). Value type; copying it copies its position.
//! `purpose` names what the numbers are for ("augment", "bootstrap"), so that two uses never share draws;
//! give the id of the sample, replicate or parameter that the draws belong to.
class Random {
  public:
    Random(std::uint64_t seed, std::string_view purpose, std::uint64_t id = 0);

    //! 32 uniform bits.
    std::uint32_t bits();
    //! Uniform in [0, 1), 53 bits.
    double uniform();
    //! Uniform integer in [0, n), n > 0, without bias.
    std::uint64_t below(std::uint64_t n);
    //! Standard normal (Box-Muller).
    double normal();

  private:
    std::array<std::uint32_t, 2> key_;
    std::array<std::uint32_t, 4> counter_;
    std::array<std::uint32_t, 4> block_{};
    unsigned used_ = 4;
    double spare_ = 0;
    bool has_spare_ = false;
};

//! SplitMix64's finaliser, a bijection of 64 bits.
std::uint64_t mix64(std::uint64_t z);

//! Positions 0..ids.size()-1 in the order of (mix64(mix64(seed) xor id), id): a random order of the samples
//! that depends on their ids alone. The first m of it are a random subset, nested in m.
std::vector<std::size_t> keyed_order(std::span<std::uint64_t const> ids, std::uint64_t seed);

} // namespace assay
