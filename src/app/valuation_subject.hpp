//! What a valuation job is about: its data set files, opened, drawn and checked before anything is computed.
#pragma once

#include "app/valuation_columns.hpp"
#include "app/valuation_memory.hpp"

#include <memory>

namespace assay::app {

//! The data set files of a job
struct Files {
    std::shared_ptr<data::Dataset const> training, generated, held_out;
};

//! Collective. Those that the job names, with the generated samples' at `generated` (empty: none yet).
//! Error(data) for samples that do not go together.
Files open_files(JobRun const& run, std::filesystem::path const& generated);

//! Collective. Every sample's values, and every id once.
void check_files(JobRun const& run, Files const& files);

//! Collective. All of a file, or the random part that the job's `key` asks for.
data::View view_of(JobRun const& run, std::shared_ptr<data::Dataset const> const& file, std::int64_t count,
                   char const* key);

//! Facts refer to sides: not to be copied or moved.
struct Subject {
    Sides sides;
    SampleFacts facts;
    Inputs inputs;
    ValuationSize size;
};

//! Collective. Error(usage or data) for whatever is wrong with what the job names or asks for, memory apart.
std::unique_ptr<Subject const> make_subject(JobRun const& run, Files const& files,
                                            std::filesystem::path const& generated);

//! Collective. The same where the job makes its generated samples itself, before it makes them. `training`:
//! the samples to be credited.
ValuationSize check_before_generation(JobRun const& run, Files const& files, data::View const& training);

} // namespace assay::app
