//! The job file: one plain struct per section; each field's default, bounds, unit and meaning stand on one
//! line, and reading, checking, dumping and sending all walk those lines.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace assay::job {

//! What a field may hold, beside its type.
struct Rule {
    double min = -std::numeric_limits<double>::infinity();
    double max = std::numeric_limits<double>::infinity();
    std::vector<std::string> choices; //!< for strings: the allowed ones; empty: any
};
inline Rule any() {
    return {};
}
inline Rule in(double min, double max) {
    return {.min = min, .max = max, .choices = {}};
}
inline Rule at_least(double min) {
    return {.min = min, .choices = {}};
}
inline Rule one_of(std::vector<std::string> choices) {
    return {.choices = std::move(choices)};
}

// In each section, fields() shows every field to a visitor: visit(key, value, rule, unit, meaning)

struct General {
    std::string kind = "usage", name = "unnamed";
    std::int64_t seed = 0;
    void fields(auto&& visit) {
        visit("kind", kind, one_of({"usage", "generate", "valuation"}), "",
              "usage: what share of the suspect data was used; generate: train a generator, sample it; "
              "valuation: credit training samples for generated ones");
        visit("name", name, any(), "", "names the output folder; letters, digits, '.', '_', '-'");
        visit("seed", seed, at_least(0), "", "every random draw follows from it");
    }
};

struct Dataset {
    std::string suspects, held_out, partners;
    std::int64_t suspect_count = 0, held_out_count = 0, classes = 0;
    std::vector<double> mean, deviation;
    double label_noise = 0;
    void fields(auto&& visit) {
        visit("suspects", suspects, any(), "path", "data set file whose use is in question");
        visit("suspect_count", suspect_count, at_least(0), "samples", "random subset of that size; 0 = all");
        visit("held_out", held_out, any(), "path",
              "data set file certainly not used in training; empty = none");
        visit("held_out_count", held_out_count, at_least(0), "samples",
              "random subset of that size; 0 = all that is left");
        visit("partners", partners, any(), "path",
              "partners of the suspects made before, or elsewhere (docs/results.md, partners.h5); empty = "
              "none");
        visit("classes", classes, in(0, 1e6), "", "number of classes; 0 = largest label + 1");
        visit("mean", mean, any(), "", "per channel, subtracted after scaling bytes to [0, 1]; empty = 0");
        visit("deviation", deviation, any(), "", "per channel, divided by; empty = 1");
        visit("label_noise", label_noise, in(0, 1), "share",
              "experiments: share of labels replaced by another class");
    }
};

struct Model {
    std::string file, family = "classifier", public_file;
    void fields(auto&& visit) {
        visit("file", file, any(), "path",
              "TorchScript file of the audited model; empty = train one (section model.train)");
        visit("family", family, one_of({"classifier", "autoregressive", "diffusion"}), "",
              "the interface that the model offers (docs/models.md)");
        visit("public_file", public_file, any(), "path",
              "TorchScript file of a classifier certainly not trained on the suspects, for calibrated_logit; "
              "empty = none");
    }
};

//! How a built-in network is trained; the sections of networks begin with what is their own.
struct Optimisation {
    std::string network, optimizer = "sgd", schedule = "constant", augment = "none";
    std::int64_t epochs = 20, batch_size = 128, micro_batch = 32, evaluate_every = 0, checkpoint_every = 5;
    double learning_rate = 0.05, momentum = 0.9, weight_decay = 0, warmup_epochs = 0, ema = 0;
    void fields(auto&& visit) {
        visit("epochs", epochs, in(1, 1e6), "", "passes over the training set");
        visit("batch_size", batch_size, in(1, 1e6), "samples", "per optimiser step, over all ranks together");
        visit("micro_batch", micro_batch, in(1, 1e6), "samples",
              "gradient unit: ranks share a batch in these, so bits do not depend on ranks");
        visit("optimizer", optimizer, one_of({"sgd", "adam"}), "", "");
        visit("learning_rate", learning_rate, in(0, 100), "", "peak learning rate");
        visit("momentum", momentum, in(0, 0.9999), "", "of sgd; beta1 of adam");
        visit("weight_decay", weight_decay, in(0, 1), "", "L2 penalty added to the gradient");
        visit("schedule", schedule, one_of({"constant", "cosine", "step"}), "",
              "step: a tenth after 60 % and again after 80 % of the epochs");
        visit("warmup_epochs", warmup_epochs, in(0, 1e6), "epochs",
              "linear rise of the learning rate from 0");
        visit("ema", ema, in(0, 0.999999), "",
              "decay per step of the weights' moving average, which the trained network gets; 0 = none");
        visit("augment", augment, one_of({"none", "crop_flip"}), "",
              "crop_flip: shift by up to 2 pixels and mirror");
        visit("evaluate_every", evaluate_every, in(0, 1e6), "epochs",
              "log loss and accuracy on members and held-out samples; 0 = never");
        visit("checkpoint_every", checkpoint_every, in(1, 1e6), "epochs",
              "how much training a killed job may lose");
    }
};

//! A built-in network of an audited family and how it is trained.
struct Network : Optimisation {
    std::string norm = "group", filler;
    std::int64_t width = 0, pool = 0, levels = 16, set_size = 0;
    double label_smoothing = 0;
    char const* section = "model.train"; //!< of the job file, for messages
    void fields(auto&& visit) {
        visit("network", network,
              one_of({"", "mlp", "cnn", "resnet18", "made", "transformer", "ddpm", "ddpm_mlp"}), "",
              "built-in network to train; empty = none");
        visit("norm", norm, one_of({"group", "batch"}), "", "normalisation in resnet18");
        visit("width", width, in(0, 4096), "",
              "hidden units (mlp, made, transformer, ddpm_mlp) or channels of the first layer; 0 = the "
              "network's own");
        visit("pool", pool, in(0, 64), "pixels",
              "made, transformer, ddpm, ddpm_mlp: side of the squares whose mean becomes one value; 0 = the "
              "network's own (ddpm 1, others 2)");
        visit("levels", levels, in(2, 256), "", "made, transformer: grey levels that a token tells apart");
        visit("label_smoothing", label_smoothing, in(0, 0.99), "share",
              "mlp, cnn, resnet18: probability that is spread over all classes in training");
        visit("set_size", set_size, at_least(0), "samples",
              "training set size, the suspects in it topped up with filler; 0 = with filler as many as "
              "suspects, without none");
        visit("filler", filler, any(), "path",
              "data set file for the rest of the training set; may be the suspects' file");
        Optimisation::fields(visit);
    }
    //! `pool`, or the network's own.
    std::int64_t pooling() const { return pool ? pool : network == "ddpm" ? 1 : 2; }
};

//! The audited model, where the job trains it.
struct Train : Network {
    double usage_fraction = 1;
    void fields(auto&& visit) {
        Network::fields(visit);
        visit("usage_fraction", usage_fraction, in(0, 1), "share",
              "share of the suspects that the target is trained on");
    }
};

//! Models that this job trains on parts of the suspects that it knows.
struct References : Network {
    std::int64_t count = 0;
    std::string folder;
    References() { section = "usage.references"; }
    void fields(auto&& visit) {
        visit("count", count, in(0, 1024), "",
              "reference models, an even number: pairs trained on two halves of the suspects; 0 = none");
        visit("folder", folder, any(), "path",
              "folder references of a run on the same suspects, with the same seed and section: its models "
              "are taken; "
              "empty = train them");
        Network::fields(visit);
    }
};

//! [dataset] of a job that generates.
struct GenerateData {
    std::string training, exclude;
    std::int64_t training_count = 0, subset = 0, classes = 0;
    double share = 1;
    void fields(auto&& visit) {
        visit("training", training, any(), "path", "data set file that the generator learns from");
        visit("training_count", training_count, at_least(0), "samples",
              "random subset of that size; 0 = all");
        visit("share", share, in(0, 1), "share", "part of these that is trained on, chosen by id");
        visit("subset", subset, at_least(0), "", "which random part, where share is below 1");
        visit(
            "exclude", exclude, any(), "path",
            "file with /exclude: ids that are not trained on, as a valuation job writes them; empty = none");
        visit("classes", classes, in(0, 1e6), "", "number of classes; 0 = largest label + 1");
    }
};

//! [dataset] of a valuation job.
struct ValuationData {
    std::string training, generated, held_out, groups, attributes;
    std::int64_t training_count = 0, generated_count = 0, held_out_count = 0, classes = 0;
    void fields(auto&& visit) {
        visit("training", training, any(), "path", "data set file of the samples to be credited");
        visit("training_count", training_count, at_least(0), "samples",
              "random subset of that size; 0 = all");
        visit("generated", generated, any(), "path",
              "data set file of the generated samples; empty = made by this job (section generator)");
        visit("generated_count", generated_count, at_least(0), "samples",
              "random subset of that size; 0 = all");
        visit("held_out", held_out, any(), "path",
              "data set file certainly not used in training, for the memorisation audit; empty = none");
        visit("held_out_count", held_out_count, at_least(0), "samples",
              "random subset of that size; 0 = all");
        visit("groups", groups, any(), "",
              "credit is summed by class, and by this integer array of the training file "
              "(\"/contributor\"); empty = by class alone");
        visit("attributes", attributes, any(), "",
              "array of 0/1 [N, a] in the training and the generated file (\"/attributes\"); empty = none");
        visit("classes", classes, in(0, 1e6), "", "number of classes; 0 = largest label + 1");
    }
};

struct Generator : Optimisation {
    std::string file;
    std::int64_t width = 0, latent = 0, timesteps = 1000;
    Generator() {
        optimizer = "adam";
        learning_rate = 1e-3;
    }
    void fields(auto&& visit) {
        visit("network", network, one_of({"", "vae", "gan", "ddpm", "torchscript"}), "",
              "generator, conditioned on the label; empty = none; torchscript: what redraws partners, not "
              "built in");
        visit("file", file, any(), "path",
              "checkpoint of a generator trained before by the same network's section, or the TorchScript; "
              "empty = train it");
        visit("width", width, in(0, 4096), "", "channels or hidden units; 0 = the network's own");
        visit("latent", latent, in(0, 4096), "", "vae, gan: latent dimensions; 0 = the network's own");
        visit("timesteps", timesteps, in(2, 10000), "", "ddpm: steps of the noise schedule");
        Optimisation::fields(visit);
    }
};

struct Generate {
    std::int64_t count = 1000, steps = 50, score_draws = 8;
    std::string labels = "balanced", score;
    double guidance = 1;
    void fields(auto&& visit) {
        visit("count", count, in(0, 1e9), "samples", "how many to sample");
        visit("labels", labels, one_of({"balanced", "training"}), "",
              "balanced: the classes in turn; training: as frequent as in the training set");
        visit("steps", steps, in(1, 10000), "", "ddpm: sampling steps (DDIM)");
        visit("guidance", guidance, in(0, 100), "",
              "ddpm: classifier-free guidance; 1 = none, 0 = unconditional");
        visit("score", score, any(), "path",
              "data set file whose samples get their loss under the trained generator; empty = none");
        visit("score_draws", score_draws, in(1, 10000), "", "noise draws per scored sample");
    }
};

struct Compute {
    std::string device = "auto";
    std::int64_t batch_size = 256, shard_size = 1024, threads = 1;
    void fields(auto&& visit) {
        visit("device", device, one_of({"auto", "cpu", "cuda"}), "", "auto: cuda where there is one");
        visit("batch_size", batch_size, in(1, 1e6), "samples", "per forward pass");
        visit("shard_size", shard_size, in(1, 1e9), "samples", "unit of reading, writing and resuming");
        visit("threads", threads, in(0, 1024), "",
              "CPU threads per rank; part of what fixes the bits; 0 = as many as a rank has CPUs");
    }
};

struct Output {
    std::string directory;
    double commit_seconds = 10;
    void fields(auto&& visit) {
        visit("directory", directory, any(), "path", "folder of the results; empty = runs/<name>");
        visit("commit_seconds", commit_seconds, in(0, 86400), "s",
              "how much computed work a killed job may lose");
    }
};

struct Usage {
    std::vector<std::string> signals = {"default"};
    std::int64_t augmentations = 8, bootstrap = 200, fit_samples = 1 << 18;
    std::string reference = "auto", partners = "auto", scorer = "zsum";
    double confidence = 0.95, redraw_strength = 0.5;
    void fields(auto&& visit) {
        visit("signals", signals, any(), "",
              "names of docs/signals.md, or a group: \"default\", \"forward\" (no gradients, no "
              "augmentations), \"all\"");
        visit("augmentations", augmentations, in(2, 64), "", "shifted and mirrored versions per sample");
        visit("reference", reference, one_of({"auto", "held_out", "partners"}), "",
              "non-members; auto: held_out where the job names it");
        visit("partners", partners, one_of({"auto", "mixtures", "redrawn"}), "",
              "auto: mixtures, and redrawn ones where the job has a generator or dataset.partners; of both, "
              "self-tests choose");
        visit("redraw_strength", redraw_strength, in(0.05, 1), "share",
              "with a generator: of its time that noise takes when it redraws suspects as partners");
        visit("scorer", scorer, one_of({"zsum", "logistic"}), "",
              "logistic is learned, and allowed with held_out only");
        visit("confidence", confidence, in(0.5, 0.9999), "", "of bounds and intervals");
        visit("bootstrap", bootstrap, in(50, 100000), "", "replicates");
        visit("fit_samples", fit_samples, in(1000, 1e8), "samples",
              "most suspects, and most reference samples, that are fitted; of more, so many are drawn by id");
    }
};

struct Features {
    std::string space = "pixels", model, method = "auto", given_training, given_generated, given_held_out,
                normalise = "none", storage = "float32", second = "none", second_model, second_training,
                second_generated;
    std::vector<double> mean, deviation;
    std::int64_t components = 64;
    void fields(auto&& visit) {
        visit("space", space, one_of({"pixels", "pca", "model", "given"}), "",
              "where samples are compared: stored values, their principal components, a model's features, or "
              "arrays made elsewhere");
        visit("model", model, any(), "path", "TorchScript file, for space = \"model\"");
        visit("method", method, one_of({"auto", "features", "encode"}), "",
              "method of the model; auto: features where it has one, else encode");
        visit("mean", mean, any(), "",
              "per channel, subtracted after scaling bytes to [0, 1], for models; empty = 0");
        visit("deviation", deviation, any(), "", "per channel, divided by; empty = 1");
        visit("components", components, in(1, 65536), "", "for space = \"pca\"");
        visit("given_training", given_training, any(), "file:/array",
              "features [N, d] of the training file's samples, for space = \"given\"");
        visit("given_generated", given_generated, any(), "file:/array", "of the generated file's samples");
        visit("given_held_out", given_held_out, any(), "file:/array", "of the held-out file's samples");
        visit("normalise", normalise, one_of({"none", "l2"}), "", "l2: rows are scaled to length 1");
        visit("storage", storage, one_of({"float32", "float16", "bfloat16"}), "",
              "of features in memory; distances are exact for the stored values");
        visit("second", second, one_of({"none", "pixels", "model", "given"}), "",
              "space in which the nearest valuation.rerank of the first are put in order again");
        visit("second_model", second_model, any(), "path", "as model");
        visit("second_training", second_training, any(), "file:/array", "as given_training");
        visit("second_generated", second_generated, any(), "file:/array", "as given_generated");
    }
};

struct Valuation {
    std::int64_t k = 50, depth = 100, rerank = 200, bootstrap = 200, shapley_k = 5, lists = 0, probes = 16,
                 checked_queries = 256, nearest_generated = 5, listed = 100;
    std::string distance = "l2", temperature = "perplexity", quality = "none", quality_mode = "mean1",
                search = "exact", pixel_baseline = "auto", lds;
    double perplexity = 10, confidence = 0.95, removal_share = 0.1, memory = 0;
    void fields(auto&& visit) {
        visit("k", k, in(1, 1000), "", "nearest training samples that share the credit for a generated one");
        visit("depth", depth, in(1, 1000), "",
              "neighbours that are kept of each, at least k: criteria, KNN-Shapley and later reductions use "
              "them");
        visit("distance", distance, one_of({"l2", "squared_l2", "cosine", "inner_product"}), "", "");
        visit("temperature", temperature, one_of({"perplexity", "median_gap", "paper", "uniform", "top1"}),
              "", "how fast credit falls with distance (docs/valuation.md); paper: exp(-distance)");
        visit("perplexity", perplexity, in(1, 1000), "", "effective number of neighbours that share");
        visit("quality", quality, one_of({"none", "column", "sharpness", "entropy"}), "",
              "weight of a generated sample; column: /quality of the generated file");
        visit("quality_mode", quality_mode, one_of({"mean1", "raw"}), "",
              "mean1: weights are scaled to mean 1");
        visit("bootstrap", bootstrap, in(50, 100000), "", "replicates of the generated samples");
        visit("confidence", confidence, in(0.5, 0.9999), "", "of intervals");
        visit("shapley_k", shapley_k, in(1, 1000), "",
              "neighbours of the classifier that KNN-Shapley values");
        visit("listed", listed, in(1, 10000), "samples",
              "training samples listed with intervals, most and least");
        visit("removal_share", removal_share, in(0, 0.5), "share",
              "share of the training samples in the removal lists");
        visit("search", search, one_of({"exact", "ivf"}), "", "ivf: approximate, with its recall measured");
        visit("lists", lists, in(0, 1e7), "", "ivf: inverted lists; 0 = 4 sqrt(N)");
        visit("probes", probes, in(1, 1e7), "", "ivf: lists searched per query");
        visit("checked_queries", checked_queries, in(2, 1e5), "samples",
              "generated samples on which a search that is approximate, or ranks again, is checked");
        visit("rerank", rerank, in(1, 4096), "", "candidates that the second space puts in order");
        visit(
            "nearest_generated", nearest_generated, in(0, 100), "",
            "generated samples whose mean distance to a training sample, in the first space, orders those of "
            "equal credit, after a search the other way round; 0: none, nor with ivf");
        visit("pixel_baseline", pixel_baseline, one_of({"auto", "no", "yes"}), "",
              "also search in stored values, for comparison; auto: with an exact search, for samples of up "
              "to 4096 values");
        visit("lds", lds, any(), "path",
              "retraining outputs (docs/valuation.md): linear datamodeling score; empty = none");
        visit("memory", memory, in(0, 1e6), "GiB", "that a rank may use; 0 = its share of what its host has");
    }
};

//! A whole job, defaults filled in.
struct Job {
    General job;
    Dataset dataset;
    Model model;
    Train train;
    References references;
    Compute compute;
    Output output;
    Usage usage;
    GenerateData generate_data;
    ValuationData valuation_data;
    Generator generator;
    Generate generate;
    Features features;
    Valuation valuation;

    //! Shows the sections that a job of this kind has to a visitor: visit(path of the section, section).
    void sections(auto&& visit) {
        visit("job", job); // first: what follows depends on the kind
        if (job.kind == "generate") {
            visit("dataset", generate_data);
        } else if (job.kind == "valuation") {
            visit("dataset", valuation_data);
            visit("features", features);
            visit("valuation", valuation);
        } else {
            visit("dataset", dataset);
            visit("model", model);
            visit("model.train", train);
            visit("usage", usage);
            visit("usage.references", references);
        }
        visit("generator", generator);
        if (job.kind != "usage")
            visit("generate", generate);
        visit("compute", compute);
        visit("output", output);
    }

    bool trains() const { return model.file.empty(); }
    //! Is the reference made of synthetic partners (else: held-out samples)?
    bool uses_partners() const {
        return usage.reference == "partners" || (usage.reference == "auto" && dataset.held_out.empty());
    }
    //! Are there partners that a generator, or somebody else, made?
    bool redraws() const {
        return uses_partners() && usage.partners != "mixtures" &&
               !(generator.network.empty() && dataset.partners.empty());
    }
    //! Are there partners that are mixtures of suspects?
    bool mixes() const { return uses_partners() && usage.partners != "redrawn"; }
    //! For Boost.Serialization: the job travels from root to all ranks.
    template <class Archive>
    void serialize(Archive& archive, unsigned /*version*/) {
        sections([&](char const*, auto& section) {
            section.fields(
                [&](char const*, auto& value, Rule const&, char const*, char const*) { archive& value; });
        });
    }
};

} // namespace assay::job
