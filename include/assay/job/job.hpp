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
        visit("kind", kind, one_of({"usage"}), "", "the question: what share of the suspect data was used");
        visit("name", name, any(), "", "names the output folder; letters, digits, '.', '_', '-'");
        visit("seed", seed, at_least(0), "", "every random draw follows from it");
    }
};

struct Dataset {
    std::string suspects, held_out;
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
        visit("classes", classes, in(0, 1e6), "", "number of classes; 0 = largest label + 1");
        visit("mean", mean, any(), "", "per channel, subtracted after scaling bytes to [0, 1]; empty = 0");
        visit("deviation", deviation, any(), "", "per channel, divided by; empty = 1");
        visit("label_noise", label_noise, in(0, 1), "share",
              "experiments: share of labels replaced by another class");
    }
};

struct Model {
    std::string file, family = "classifier";
    void fields(auto&& visit) {
        visit("file", file, any(), "path",
              "TorchScript file of the audited model; empty = train one (section model.train)");
        visit("family", family, one_of({"classifier", "autoregressive"}), "",
              "the interface that the model offers (docs/models.md)");
    }
};

struct Train {
    std::string network, norm = "group", filler, optimizer = "sgd", schedule = "constant", augment = "none";
    std::int64_t width = 0, pool = 2, levels = 16, set_size = 0, epochs = 20, batch_size = 128,
                 micro_batch = 32, evaluate_every = 0, checkpoint_every = 5;
    double usage_fraction = 1, learning_rate = 0.05, momentum = 0.9, weight_decay = 0, warmup_epochs = 0;
    void fields(auto&& visit) {
        visit("network", network, one_of({"", "mlp", "cnn", "resnet18", "made", "transformer"}), "",
              "built-in network to train; empty = none");
        visit("norm", norm, one_of({"group", "batch"}), "", "normalisation in resnet18");
        visit("width", width, in(0, 4096), "",
              "hidden units (mlp, made, transformer) or channels of the first layer; 0 = the network's own");
        visit("pool", pool, in(1, 64), "pixels",
              "made, transformer: side of the squares whose mean becomes one token");
        visit("levels", levels, in(2, 256), "", "made, transformer: grey levels that a token tells apart");
        visit("usage_fraction", usage_fraction, in(0, 1), "share",
              "share of the suspects that the target is trained on");
        visit("set_size", set_size, at_least(0), "samples",
              "training set size, members topped up with filler; 0 = as many as suspects");
        visit("filler", filler, any(), "path",
              "data set file for the rest of the training set; may be the suspects' file");
        visit("epochs", epochs, in(1, 1e6), "", "passes over the training set");
        visit("batch_size", batch_size, in(1, 1e6), "samples", "per optimiser step, over all ranks together");
        visit("micro_batch", micro_batch, in(1, 1e6), "samples",
              "gradient unit: ranks share a batch in these, so bits do not depend on ranks");
        visit("optimizer", optimizer, one_of({"sgd", "adam"}), "", "");
        visit("learning_rate", learning_rate, in(0, 100), "", "peak learning rate");
        visit("momentum", momentum, in(0, 0.9999), "", "of sgd");
        visit("weight_decay", weight_decay, in(0, 1), "", "L2 penalty added to the gradient");
        visit("schedule", schedule, one_of({"constant", "cosine", "step"}), "",
              "step: a tenth after 60 % and again after 80 % of the epochs");
        visit("warmup_epochs", warmup_epochs, in(0, 1e6), "epochs",
              "linear rise of the learning rate from 0");
        visit("augment", augment, one_of({"none", "crop_flip"}), "",
              "crop_flip: shift by up to 2 pixels and mirror");
        visit("evaluate_every", evaluate_every, in(0, 1e6), "epochs",
              "log accuracy on members and held-out samples; 0 = never");
        visit("checkpoint_every", checkpoint_every, in(1, 1e6), "epochs",
              "how much training a killed job may lose");
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
    std::string reference = "auto", scorer = "zsum";
    double confidence = 0.95;
    void fields(auto&& visit) {
        visit("signals", signals, any(), "",
              "names of docs/signals.md, or \"default\" (all) or \"forward\" (those of one forward pass)");
        visit("augmentations", augmentations, in(2, 64), "", "shifted and mirrored versions per sample");
        visit("reference", reference, one_of({"auto", "held_out", "partners"}), "",
              "non-members; auto: held_out where the job names it");
        visit("scorer", scorer, one_of({"zsum", "logistic"}), "",
              "logistic is learned, and allowed with held_out only");
        visit("confidence", confidence, in(0.5, 0.9999), "", "of bounds and intervals");
        visit("bootstrap", bootstrap, in(50, 100000), "", "replicates");
        visit("fit_samples", fit_samples, in(1000, 1e8), "samples",
              "most suspects, and most reference samples, that are fitted; of more, so many are drawn by id");
    }
};

//! A whole job, defaults filled in.
struct Job {
    General job;
    Dataset dataset;
    Model model;
    Train train;
    Compute compute;
    Output output;
    Usage usage;

    //! Shows every section to a visitor: visit(path of the section, section).
    void sections(auto&& visit) {
        visit("job", job);
        visit("dataset", dataset);
        visit("model", model);
        visit("model.train", train);
        visit("compute", compute);
        visit("output", output);
        visit("usage", usage);
    }

    bool trains() const { return model.file.empty(); }
    //! Is the reference made of synthetic partners (else: held-out samples)?
    bool uses_partners() const {
        return usage.reference == "partners" || (usage.reference == "auto" && dataset.held_out.empty());
    }
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
