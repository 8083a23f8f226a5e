#include "assay/base/error.hpp"
#include "assay/job/job_file.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace assay::job {

namespace {

void check_name(std::string const& name) {
    bool const plain = std::ranges::all_of(
        name, [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '_' || c == '-'; });
    if (!plain || name.empty() || name.front() == '.')
        fail(Exit::usage, "job.name=\"{}\" (names a folder). Use letters, digits, '.', '_' and '-'", name);
}

std::string family_of(std::string const& network) {
    return network == "made" || network == "transformer" ? "autoregressive" : "classifier";
}

void check_model(Job const& job) {
    if (job.model.file.empty() && job.train.network.empty())
        fail(Exit::usage,
             "model.file is missing (nothing to audit). Name a TorchScript file, or a network to train "
             "in model.train.network");
    if (!job.model.file.empty() && !job.train.network.empty())
        fail(Exit::usage, "model.file=\"{}\" and model.train.network=\"{}\" (which one?). Remove one of them",
             job.model.file, job.train.network);
    if (job.trains() && job.model.family != family_of(job.train.network))
        fail(
            Exit::usage,
            "model.train.network=\"{}\" (of the family {}, but model.family=\"{}\"). Set model.family to the "
            "network's",
            job.train.network, family_of(job.train.network), job.model.family);
    if (job.trains() && job.train.micro_batch > job.train.batch_size)
        fail(Exit::usage, "model.train.micro_batch={} (larger than model.train.batch_size={}). Lower it",
             job.train.micro_batch, job.train.batch_size);
    if (job.trains() && job.train.usage_fraction == 0 && job.train.filler.empty())
        fail(Exit::usage,
             "model.train.filler is missing (usage_fraction=0 leaves nothing to train on). Name a data "
             "set file");
}

void check_dataset(Job const& job) {
    if (job.dataset.suspects.empty())
        fail(Exit::usage, "dataset.suspects is missing (what is to be audited?). Name a data set file");
    if (job.dataset.mean.size() != job.dataset.deviation.size())
        fail(Exit::usage,
             "dataset.mean has {} entries and dataset.deviation {} (one per channel each). Give both",
             job.dataset.mean.size(), job.dataset.deviation.size());
    for (double mean : job.dataset.mean)
        if (!std::isfinite(mean))
            fail(Exit::usage, "dataset.mean={} (must be finite). Correct it", mean);
    for (double deviation : job.dataset.deviation)
        if (!(deviation > 0 && std::isfinite(deviation)))
            fail(Exit::usage, "dataset.deviation={} (must be positive and finite). Correct it", deviation);
}

void check_usage(Job const& job) {
    if (job.usage.reference == "held_out" && job.dataset.held_out.empty())
        fail(Exit::usage,
             "usage.reference=\"held_out\" (but dataset.held_out is missing). Name the held-out data set "
             "file, or use \"partners\"");
    if (job.usage.scorer == "logistic" && job.uses_partners())
        fail(Exit::usage, "usage.scorer=\"logistic\" (with synthetic partners it learns their artefacts, not "
                          "membership). Use \"zsum\", or name dataset.held_out");
    if (job.usage.signals.empty())
        fail(Exit::usage, "usage.signals=[] (nothing to compute). Remove the key to use the default");
}

} // namespace

void check(Job const& job) {
    check_name(job.job.name);
    check_dataset(job);
    check_model(job);
    check_usage(job);
}

} // namespace assay::job
