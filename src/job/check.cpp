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
    if (network == "made" || network == "transformer")
        return "autoregressive";
    return network == "ddpm" || network == "ddpm_mlp" ? "diffusion" : "classifier";
}

void check_micro_batch(Optimisation const& training, char const* section) {
    if (training.micro_batch > training.batch_size)
        fail(Exit::usage, "{0}.micro_batch={1} (larger than {0}.batch_size={2}). Lower it", section,
             training.micro_batch, training.batch_size);
}

void check_network(Network const& network, std::string const& family) {
    if (family != family_of(network.network))
        fail(Exit::usage,
             "{}.network=\"{}\" (of the family {}, but model.family=\"{}\"). Set model.family to the "
             "network's",
             network.section, network.network, family_of(network.network), family);
    if (network.label_smoothing > 0 && family != "classifier")
        fail(Exit::usage, "{}.label_smoothing={} (of classifiers only; model.family=\"{}\"). Remove it",
             network.section, network.label_smoothing, family);
    check_micro_batch(network, network.section);
}

void check_references(Job const& job) {
    References const& references = job.references;
    if (references.count == 0 && !references.network.empty())
        fail(Exit::usage,
             "usage.references.network=\"{}\" (but usage.references.count=0). Set the count, or remove the "
             "section",
             references.network);
    if (references.count == 0 && !references.folder.empty())
        fail(Exit::usage,
             "usage.references.folder=\"{}\" (but usage.references.count=0). Set the count to theirs",
             references.folder);
    if (references.count == 0)
        return;
    if (references.count % 2 != 0 || references.count < 4)
        fail(Exit::usage,
             "usage.references.count={} (must be even, for halves of the suspects in pairs, and at least 4, "
             "for each to be judged by others). Use 4",
             references.count);
    if (references.network.empty())
        fail(Exit::usage,
             "usage.references.network is missing (what are the reference models?). Name a network of the "
             "family {}",
             job.model.family);
    check_network(references, job.model.family);
    auto const names = [&](char const* signal) {
        return std::ranges::find(job.usage.signals, signal) != job.usage.signals.end();
    };
    if (!job.uses_partners() && !names("default") && !names("forward") && !names("all") && !names("loss"))
        fail(Exit::usage,
             "usage.references.count={} (beside held-out samples they serve DUCI, which needs the signal "
             "loss). Add "
             "\"loss\" to usage.signals, or remove the section",
             references.count);
    if (!job.uses_partners() && job.model.family == "diffusion")
        fail(Exit::usage,
             "usage.references.count={} (beside held-out samples they serve DUCI, which needs probabilities "
             "of "
             "labels or tokens; a diffusion model has none). Remove the section",
             references.count);
}

void check_model(Job const& job) {
    if (job.model.file.empty() && job.train.network.empty())
        fail(Exit::usage,
             "model.file is missing (nothing to audit). Name a TorchScript file, or a network to train "
             "in model.train.network");
    if (!job.model.file.empty() && !job.train.network.empty())
        fail(Exit::usage, "model.file=\"{}\" and model.train.network=\"{}\" (which one?). Remove one of them",
             job.model.file, job.train.network);
    if (job.trains())
        check_network(job.train, job.model.family);
    if (!job.model.public_file.empty() && job.model.family != "classifier")
        fail(Exit::usage,
             "model.public_file=\"{}\" (only classifiers' signals are calibrated by a public model). Remove "
             "it",
             job.model.public_file);
    if (job.trains() && job.train.usage_fraction == 0 && job.train.filler.empty())
        fail(Exit::usage,
             "model.train.filler is missing (usage_fraction=0 leaves nothing to train on). Name a data "
             "set file");
}

void check_normalisation(char const* section, std::vector<double> const& means,
                         std::vector<double> const& deviations) {
    if (means.size() != deviations.size())
        fail(Exit::usage, "{0}.mean has {1} entries and {0}.deviation {2} (one per channel each). Give both",
             section, means.size(), deviations.size());
    for (double mean : means)
        if (!std::isfinite(mean))
            fail(Exit::usage, "{}.mean={} (must be finite). Correct it", section, mean);
    for (double deviation : deviations)
        if (!(deviation > 0 && std::isfinite(deviation)))
            fail(Exit::usage, "{}.deviation={} (must be positive and finite). Correct it", section,
                 deviation);
}

void check_dataset(Job const& job) {
    if (job.dataset.suspects.empty())
        fail(Exit::usage, "dataset.suspects is missing (what is to be audited?). Name a data set file");
    check_normalisation("dataset", job.dataset.mean, job.dataset.deviation);
    if (job.dataset.label_noise > 0 && !job.model.file.empty())
        fail(Exit::usage,
             "dataset.label_noise={} (replaces labels for targets that the job trains; model.file=\"{}\" was "
             "trained with "
             "others). Remove it",
             job.dataset.label_noise, job.model.file);
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

void check_generator(Job const& job) {
    if (job.generator.network.empty())
        fail(Exit::usage,
             "generator.network is missing (nothing makes the samples). Use one of \"vae\", \"gan\", "
             "\"ddpm\"{}",
             job.job.kind == "valuation" ? ", or name a data set file in dataset.generated" : "");
    if (job.generator.network == "torchscript")
        fail(Exit::usage,
             "generator.network=\"torchscript\" (redraws given images, but makes none of its own). Use "
             "one of \"vae\", \"gan\", \"ddpm\"");
    check_micro_batch(job.generator, "generator");
    if (job.generate.steps > job.generator.timesteps)
        fail(Exit::usage, "generate.steps={} (more than generator.timesteps={}). Lower it",
             job.generate.steps, job.generator.timesteps);
}

// Of a usage job: what redraws the suspects
void check_redrawing(Job const& job) {
    Generator const& generator = job.generator;
    if (generator.network == "gan")
        fail(Exit::usage, "generator.network=\"gan\" (cannot redraw a given image, as partners of the "
                          "suspects have to be made). "
                          "Use \"ddpm\" or \"vae\"");
    if (generator.network == "torchscript" && generator.file.empty())
        fail(Exit::usage,
             "generator.file is missing (generator.network=\"torchscript\"). Name the TorchScript file");
    if (generator.network == "ddpm" && job.model.family == "diffusion")
        fail(Exit::usage, "generator.network=\"ddpm\" (of the target's family: what it redraws is to a "
                          "diffusion model unlike any "
                          "suspect, and shows use where there is none, docs/experiments/usage_diffusion.md). "
                          "Use dataset.held_out; "
                          "mixtures and \"vae\" showed next to nothing");
    check_micro_batch(generator, "generator");
    if (generator.network != "ddpm" && job.usage.redraw_strength != Usage().redraw_strength)
        fail(Exit::usage,
             "usage.redraw_strength={} (of \"ddpm\"; generator.network=\"{}\" has none). Remove it",
             job.usage.redraw_strength, generator.network);
    constexpr double kFewestTimes = 12; // as many as redrawing has steps
    if (generator.network == "ddpm" &&
        job.usage.redraw_strength * static_cast<double>(generator.timesteps) < kFewestTimes)
        fail(Exit::usage,
             "usage.redraw_strength={} of generator.timesteps={} (leaves fewer than {} times to redraw "
             "through). "
             "Raise one of them",
             job.usage.redraw_strength, generator.timesteps, kFewestTimes);
}

void check_partners(Job const& job) {
    std::string const& network = job.generator.network;
    if (network.empty() && !job.generator.file.empty())
        fail(Exit::usage,
             "generator.file=\"{}\" (but generator.network is missing: of what?). Name the network that it "
             "was "
             "trained as",
             job.generator.file);
    if (!network.empty() && !job.dataset.partners.empty())
        fail(Exit::usage,
             "generator.network=\"{}\" and dataset.partners=\"{}\" (which one?). Remove one of them", network,
             job.dataset.partners);
    bool const given = !network.empty() || !job.dataset.partners.empty();
    if (given && !job.redraws())
        fail(Exit::usage, "{}=\"{}\" (partners of the suspects, but {}). Remove it, or {}",
             network.empty() ? "dataset.partners" : "generator.network",
             network.empty() ? job.dataset.partners : network,
             job.uses_partners() ? "usage.partners=\"mixtures\"" : "the reference is held-out data",
             job.uses_partners() ? "usage.partners" : "set usage.reference=\"partners\"");
    if (!job.uses_partners() && job.usage.partners != "auto")
        fail(Exit::usage,
             "usage.partners=\"{}\" (but the reference is held-out data). Remove it, or set "
             "usage.reference=\"partners\"",
             job.usage.partners);
    if (given && job.references.count == 0)
        fail(Exit::usage,
             "usage.references.count=0 (redrawn partners do not score like unused suspects, and use would be "
             "found where "
             "there is none: signals must be calibrated). Add the section usage.references, or remove {}",
             network.empty() ? "dataset.partners" : "the section generator");
    if (!given && job.usage.partners == "redrawn")
        fail(Exit::usage,
             "usage.partners=\"redrawn\" (by what?). Name generator.network or dataset.partners");
    if (!network.empty())
        check_redrawing(job);
}

void check_generate(Job const& job) {
    if (job.generate_data.training.empty())
        fail(Exit::usage,
             "dataset.training is missing (what does the generator learn from?). Name a data set file");
    if (job.generate_data.share == 0)
        fail(Exit::usage, "dataset.share=0 (leaves nothing to train on). Raise it");
    if (job.generate.count == 0 && job.generate.score.empty())
        fail(Exit::usage, "generate.count=0 and no generate.score (nothing to do). Set one of them");
    check_generator(job);
}

// "file.h5:/array" where the space is given, else nothing
void check_given(std::string const& key, std::string const& value, bool wanted) {
    bool const well_formed = value.find(":/") != std::string::npos && value.find(":/") > 0;
    if (wanted && !well_formed)
        fail(Exit::usage,
             "features.{}=\"{}\" (must be \"file.h5:/array\" where the space is \"given\"). Name it", key,
             value);
    if (!wanted && !value.empty())
        fail(Exit::usage, "features.{}=\"{}\" (is not used: the space is not \"given\"). Remove it", key,
             value);
}

void check_space(std::string const& key, std::string const& space, std::string const& model) {
    if ((space == "model") != !model.empty())
        fail(Exit::usage,
             "features.{}=\"{}\" but the space is \"{}\" (a model and the space \"model\" go together). {}",
             key, model, space, model.empty() ? "Name a TorchScript file" : "Remove one of them");
}

void check_features(Job const& job) {
    Features const& features = job.features;
    bool const given = features.space == "given", second = features.second == "given";
    check_normalisation("features", features.mean, features.deviation);
    check_space("model", features.space, features.model);
    check_space("second_model", features.second, features.second_model);
    check_given("given_training", features.given_training, given);
    check_given("given_generated", features.given_generated, given);
    check_given("given_held_out", features.given_held_out, given && !job.valuation_data.held_out.empty());
    check_given("second_training", features.second_training, second);
    check_given("second_generated", features.second_generated, second);
    if ((given || second) && job.valuation_data.generated.empty())
        fail(Exit::usage,
             "features.{}=\"given\" (but this job makes its generated samples itself, so nobody can "
             "have their features). Name dataset.generated",
             given ? "space" : "second");
    if (features.second != "none" && job.valuation.rerank < job.valuation.k)
        fail(Exit::usage, "valuation.rerank={} (fewer than valuation.k={}). Raise it", job.valuation.rerank,
             job.valuation.k);
}

// Values of more neighbours than the lists hold would silently be missing
void check_shapley(Job const& job) {
    std::int64_t const deepest = std::max(job.valuation.k, job.valuation.depth);
    std::int64_t const length =
        job.features.second == "none" ? deepest : std::min(deepest, job.valuation.rerank);
    if (job.valuation.shapley_k > length)
        fail(Exit::usage,
             "valuation.shapley_k={} (the lists hold {} neighbours only). Lower it, or raise "
             "valuation.depth{}",
             job.valuation.shapley_k, length, job.features.second == "none" ? "" : " and valuation.rerank");
}

void check_valuation(Job const& job) {
    if (job.valuation_data.training.empty())
        fail(Exit::usage, "dataset.training is missing (what is to be credited?). Name a data set file");
    if (job.valuation_data.generated.empty() && job.generate.count == 0)
        fail(Exit::usage, "generate.count=0 (no generated samples to give credit for). Raise it");
    if (job.valuation_data.generated.empty())
        check_generator(job);
    else if (!job.generator.network.empty())
        fail(Exit::usage,
             "dataset.generated=\"{}\" and generator.network=\"{}\" (which one?). Remove one of them",
             job.valuation_data.generated, job.generator.network);
    if (job.valuation.quality == "column" && job.valuation_data.generated.empty())
        fail(Exit::usage,
             "valuation.quality=\"column\" (but this job makes its generated samples itself). Name "
             "dataset.generated, or use another quality");
    if (!job.valuation_data.attributes.empty() && job.valuation_data.generated.empty())
        fail(Exit::usage,
             "dataset.attributes=\"{}\" (but this job makes its generated samples itself, without "
             "attributes). "
             "Name dataset.generated, or remove it",
             job.valuation_data.attributes);
    check_shapley(job);
    check_features(job);
}

} // namespace

void check(Job const& job) {
    check_name(job.job.name);
    if (job.job.kind == "generate")
        return check_generate(job);
    if (job.job.kind == "valuation")
        return check_valuation(job);
    check_dataset(job);
    check_model(job);
    check_usage(job);
    check_references(job);
    check_partners(job);
}

} // namespace assay::job
