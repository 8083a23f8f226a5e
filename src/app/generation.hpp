//! A built-in generator, trained or loaded, and the data set file of its samples.
#pragma once

#include "app/job_run.hpp"

#include "assay/data/view.hpp"

#include <memory>
#include <optional>

namespace assay::model {
class GeneratorNetwork; // the commands' files do without torch
}

namespace assay::app {

//! What a generator learns from, and where its samples go.
struct GenerationPlan {
    data::View candidates; //!< all training samples in question
    data::View training;   //!< those of them that it learns from
    std::int64_t classes = 0;
    std::optional<data::View> scored; //!< samples that get their loss under the trained generator
    Inputs inputs;
    std::filesystem::path results;  //!< columns: samples as float32, losses, what was trained on
    std::filesystem::path data_set; //!< the samples as a data set file, stored as the training samples are
    std::filesystem::path sheet;    //!< a grid of samples to look at (PNG)
};

//! Local. The job's untrained generator on the run's device. Error(usage) for samples that it cannot take.
std::shared_ptr<model::GeneratorNetwork> make_generator(JobRun const& run, data::DatasetInfo const& info,
                                                        std::int64_t classes);

//! Collective. Trains it, or loads generator.file. `key` as for model::TrainingRun::job_hash.
void train_or_load(JobRun const& run, data::View const& training, std::string const& key,
                   model::GeneratorNetwork& network);

//! Collective. Error(usage or data) for data that the job's generator cannot learn from.
void check_generation(JobRun const& run, GenerationPlan const& plan);

//! Collective. Trains the job's generator (or loads generator.file), samples it and writes everything in
//! `plan`; what an unfinished run of the same job left is gone on with under --resume. The same bytes on any
//! number of ranks.
void generate(JobRun const& run, GenerationPlan const& plan);

} // namespace assay::app
