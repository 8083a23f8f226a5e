//! Columns of a valuation job's results file that are known before the first search: who the samples are.
#pragma once

#include "app/feature_spaces.hpp"

#include "assay/data/sample_array.hpp"
#include "assay/valuation/columns.hpp"

#include <optional>

namespace assay::app {

//! What the data set files say of their samples beside labels.
struct SampleFacts {
    std::optional<data::SampleArray<std::int64_t>> groups;
    std::optional<data::SampleArray<std::uint8_t>> attributes, generated_attributes;
    std::optional<data::SampleArray<std::uint8_t>> outliers; //!< for the code that scores C3 alone
    //! Quality of the generated samples at positions [begin, end); empty: all alike.
    std::function<std::vector<float>(std::uint64_t begin, std::uint64_t end)> quality;
};

//! Local. Opens what the job names; the facts refer to `sides`, which must outlive them. Error(data) naming
//! file and array for what does not fit.
SampleFacts open_facts(job::Job const& job, Sides const& sides);

//! Collective. Reads every value once, so that what is wrong is found before the search.
void check_facts(comm::Communicator const& comm, Sides const& sides, SampleFacts const& facts);

//! Local. How many different labels and groups there are, and so on, for what the reduction will write.
valuation::Extent extent_of(Sides const& sides, SampleFacts const& facts, std::int64_t stored_k);

//! Announces the columns.
void announce_facts(store::ResultLayout& layout, Sides const& sides, SampleFacts const& facts);
//! Collective. Writes them.
void write_facts(comm::Communicator const& comm, store::ResultFile& file, Sides const& sides,
                 SampleFacts const& facts);

} // namespace assay::app
