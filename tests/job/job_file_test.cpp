#include "assay/job/job_file.hpp"

#include "assay/base/error.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <set>

namespace assay::job {
namespace {

namespace fs = std::filesystem;

// The message of the Error(usage) that `action` throws; one line, with all of `parts` in it
void expect_refused(std::function<void()> const& action, std::vector<std::string> const& parts) {
    try {
        action();
        ADD_FAILURE() << "not refused: " << parts.front();
    } catch (Error const& error) {
        std::string const message = error.what();
        EXPECT_EQ(error.code(), Exit::usage) << message;
        EXPECT_EQ(message.find('\n'), std::string::npos) << message;
        for (std::string const& part : parts)
            EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' is not in: " << message;
    }
}

void expect_refused(std::string const& text, std::vector<std::string> const& parts) {
    expect_refused([&] { parse(text, "job.toml"); }, parts);
}

// Calls visit(section, key, value, rule) for every field of a job
void each_field(Job& job, auto&& visit) {
    job.sections([&](std::string const& section, auto& fields) {
        fields.fields([&](std::string const& key, auto& value, Rule const& rule, char const*, char const*) {
            visit(section, key, value, rule);
        });
    });
}

std::string assignment(std::string const& section, std::string const& key, std::string const& literal) {
    return "[" + section + "]\n" + key + " = " + literal + "\n";
}

// Another value than the one there, within its rule
void change(std::string& value, Rule const& rule) {
    value = rule.choices.empty()           ? value + "\"q\" \\ \t'x' #é"
            : rule.choices.back() == value ? rule.choices.front()
                                           : rule.choices.back();
}
void change(std::int64_t& value, Rule const& rule) {
    value = value + 1 <= rule.max ? value + 1 : value - 1;
}
void change(double& value, Rule const& rule) {
    value = value == rule.max ? (rule.min + rule.max) / 3 : value + (rule.max - value) / 3e5;
}
void change(std::vector<double>& values, Rule const&) {
    values = {0.1, 1e-300, -12345678.9, 1e22, 3};
}
void change(std::vector<std::string>& values, Rule const&) {
    values = {"loss", "a, b", "]"};
}

Job changed_throughout() {
    Job job;
    each_field(job, [](auto const&, auto const&, auto& value, Rule const& rule) { change(value, rule); });
    return job;
}

void expect_same(Job a, Job b) {
    std::map<std::string, std::string> values;
    auto const text = [](auto const& value) {
        if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>>)
            return fmt::format("{}", value);
        else if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>)
            return value;
        else
            return fmt::format("{}", fmt::join(value, "|"));
    };
    each_field(a, [&](auto const& section, auto const& key, auto const& value, Rule const&) {
        values[section + "." + key] = text(value);
    });
    each_field(b, [&](auto const& section, auto const& key, auto const& value, Rule const&) {
        EXPECT_EQ(values.at(section + "." + key), text(value)) << section << "." << key;
    });
}

// A job that check() has nothing against: the smallest one
std::string const kSmallest = "[dataset]\nsuspects = 's.h5'\n[model]\nfile = 'm.pt'\n";

void expect_check_refuses(std::string const& changes, std::vector<std::string> const& parts,
                          std::string const& base = kSmallest) {
    std::vector<std::string> overrides;
    for (std::size_t at = 0; at < changes.size();) {
        std::size_t const end = std::min(changes.find(';', at), changes.size());
        overrides.push_back(changes.substr(at, end - at));
        at = end + 1;
    }
    Job const job = parse(base, "job.toml", overrides);
    expect_refused([&] { check(job); }, parts);
}

TEST(JobFile, AnEmptyJobHasEveryDefault) {
    std::map<std::string, std::string> const expected{
        {"job.kind", "usage"},
        {"job.name", "unnamed"},
        {"job.seed", "0"},
        {"dataset.suspects", ""},
        {"dataset.suspect_count", "0"},
        {"dataset.held_out", ""},
        {"dataset.partners", ""},
        {"dataset.held_out_count", "0"},
        {"dataset.classes", "0"},
        {"dataset.mean", ""},
        {"dataset.deviation", ""},
        {"dataset.label_noise", "0"},
        {"model.file", ""},
        {"model.family", "classifier"},
        {"model.public_file", ""},
        {"model.train.network", ""},
        {"model.train.norm", "group"},
        {"model.train.width", "0"},
        {"model.train.pool", "0"},
        {"model.train.levels", "16"},
        {"model.train.label_smoothing", "0"},
        {"model.train.usage_fraction", "1"},
        {"model.train.set_size", "0"},
        {"model.train.filler", ""},
        {"model.train.epochs", "20"},
        {"model.train.batch_size", "128"},
        {"model.train.micro_batch", "32"},
        {"model.train.optimizer", "sgd"},
        {"model.train.learning_rate", "0.05"},
        {"model.train.momentum", "0.9"},
        {"model.train.weight_decay", "0"},
        {"model.train.schedule", "constant"},
        {"model.train.warmup_epochs", "0"},
        {"model.train.ema", "0"},
        {"model.train.augment", "none"},
        {"model.train.evaluate_every", "0"},
        {"model.train.checkpoint_every", "5"},
        {"compute.device", "auto"},
        {"compute.batch_size", "256"},
        {"compute.shard_size", "1024"},
        {"compute.threads", "1"},
        {"output.directory", ""},
        {"output.commit_seconds", "10"},
        {"usage.signals", "default"},
        {"usage.augmentations", "8"},
        {"usage.bootstrap", "200"},
        {"usage.fit_samples", "262144"},
        {"usage.reference", "auto"},
        {"usage.scorer", "zsum"},
        {"usage.confidence", "0.95"},
        {"usage.redraw_strength", "0.5"},
        {"usage.partners", "auto"},
        {"usage.references.count", "0"},
        {"usage.references.folder", ""},
        {"usage.references.network", ""},
        {"usage.references.norm", "group"},
        {"usage.references.width", "0"},
        {"usage.references.pool", "0"},
        {"usage.references.levels", "16"},
        {"usage.references.label_smoothing", "0"},
        {"usage.references.set_size", "0"},
        {"usage.references.filler", ""},
        {"usage.references.epochs", "20"},
        {"usage.references.batch_size", "128"},
        {"usage.references.micro_batch", "32"},
        {"usage.references.optimizer", "sgd"},
        {"usage.references.learning_rate", "0.05"},
        {"usage.references.momentum", "0.9"},
        {"usage.references.weight_decay", "0"},
        {"usage.references.schedule", "constant"},
        {"usage.references.warmup_epochs", "0"},
        {"usage.references.ema", "0"},
        {"usage.references.augment", "none"},
        {"usage.references.evaluate_every", "0"},
        {"usage.references.checkpoint_every", "5"},
        {"generator.network", ""},
        {"generator.file", ""},
        {"generator.width", "0"},
        {"generator.latent", "0"},
        {"generator.timesteps", "1000"},
        {"generator.epochs", "20"},
        {"generator.batch_size", "128"},
        {"generator.micro_batch", "32"},
        {"generator.optimizer", "adam"},
        {"generator.learning_rate", "0.001"},
        {"generator.momentum", "0.9"},
        {"generator.weight_decay", "0"},
        {"generator.schedule", "constant"},
        {"generator.warmup_epochs", "0"},
        {"generator.ema", "0"},
        {"generator.augment", "none"},
        {"generator.evaluate_every", "0"},
        {"generator.checkpoint_every", "5"},
    };
    std::map<std::string, std::string> found;
    Job job = parse("", "job.toml");
    each_field(job, [&](auto const& section, auto const& key, auto const& value, Rule const&) {
        if constexpr (requires { value.empty() ? value.front() : value.front(); } &&
                      !std::is_same_v<std::decay_t<decltype(value)>, std::string>)
            found[section + "." + key] = fmt::format("{}", fmt::join(value, ","));
        else
            found[section + "." + key] = fmt::format("{}", value);
    });
    EXPECT_EQ(found, expected);
}

TEST(JobFile, DumpParsesBackToItself) {
    for (Job const& job : {Job{}, changed_throughout()})
        for (bool explain : {false, true}) {
            Job const again = parse(dump(job, explain), "dump");
            expect_same(again, job);
            EXPECT_EQ(dump(again, explain), dump(job, explain));
        }
}

TEST(JobFile, DumpKeepsStringsWithLineBreaks) {
    Job job;
    job.dataset.suspects = "two\nlines";
    for (bool explain : {false, true})
        EXPECT_EQ(parse(dump(job, explain), "dump").dataset.suspects, "two\nlines");
}

TEST(JobFile, DumpHoldsEveryKeyAndExplainsIt) {
    Job job;
    std::string const plain = dump(job), explained = dump(job, true);
    each_field(job, [&](auto const& section, std::string const& key, auto const&, Rule const& rule) {
        EXPECT_NE(plain.find("\n" + key + " = "), std::string::npos) << section << "." << key;
        std::size_t const line = explained.find("\n" + key + " = ", explained.find("[" + section + "]"));
        ASSERT_NE(line, std::string::npos) << section << "." << key;
        std::string const text = explained.substr(line + 1, explained.find('\n', line + 1) - line - 1);
        EXPECT_NE(text.find(" # "), std::string::npos) << text;
        for (std::string const& choice : rule.choices)
            EXPECT_NE(text.find("\"" + choice + "\"", text.find('#')), std::string::npos) << text;
    });
}

TEST(JobFile, ReadsEveryType) {
    Job const job = parse("[job]\nname = 'n'\nseed = 9\n[dataset]\nmean = [0.5, 1]\ndeviation = []\n"
                          "[model.train]\nmomentum = 0\n[usage]\nsignals = ['loss', 'margin']\n",
                          "job.toml");
    EXPECT_EQ(job.job.name, "n");
    EXPECT_EQ(job.job.seed, 9);
    EXPECT_EQ(job.dataset.mean, (std::vector<double>{0.5, 1})); // a whole number serves as a number
    EXPECT_TRUE(job.dataset.deviation.empty());
    EXPECT_EQ(job.train.momentum, 0);
    EXPECT_EQ(job.usage.signals, (std::vector<std::string>{"loss", "margin"}));
}

TEST(JobFile, UnknownKeysAreNamedWithTheirPath) {
    expect_refused("batch_size = 3\n", {"unknown key batch_size "});
    expect_refused("[compute]\nbatchsize = 3\n", {"unknown key compute.batchsize ", "dump-job"});
    expect_refused("[model.train]\nnetwrok = 'mlp'\n", {"unknown key model.train.netwrok "});
    expect_refused("[modle]\nfile = 'x'\n", {"unknown key modle "});
    expect_refused("[model.trian]\nepochs = 3\n", {"unknown key model.trian "});
    expect_refused("usage = 3\n", {"usage"});
    expect_refused("[[compute]]\nthreads = 1\n", {"compute"});
    expect_refused("[job]\nname.first = 'x'\n", {"job.name"});
}

TEST(JobFile, IllTypedValuesAreNamedWithTheirPath) {
    expect_refused("[job]\nseed = 1.0\n", {"job.seed=1", "a whole number"});
    expect_refused("[job]\nseed = '1'\n", {"job.seed=", "a whole number"});
    expect_refused("[job]\nname = 7\n", {"job.name=7", "a string"});
    expect_refused("[usage]\nconfidence = '0.9'\n", {"usage.confidence=", "a number"});
    expect_refused("[usage]\nconfidence = true\n", {"usage.confidence=true", "a number"});
    expect_refused("[usage]\nsignals = 'loss'\n", {"usage.signals=", "an array of strings"});
    expect_refused("[usage]\nsignals = ['loss', 3]\n", {"usage.signals=", "an array of strings"});
    expect_refused("[dataset]\nmean = 0.5\n", {"dataset.mean=0.5", "an array of numbers"});
    expect_refused("[dataset]\nmean = [[0.5]]\n", {"dataset.mean=", "an array of numbers"});
    expect_refused("[job]\nseed = 2024-01-01\n", {"job.seed=2024-01-01", "a whole number"});
}

// Every key of every section, with a value of a type that none of its kind takes
TEST(JobFile, NoKeyTakesAnotherType) {
    Job job;
    each_field(job, [&](std::string const& section, std::string const& key, auto const& value, Rule const&) {
        bool const is_text = std::is_same_v<std::decay_t<decltype(value)>, std::string>;
        std::string const path = section + "." + key + "=";
        expect_refused(assignment(section, key, is_text ? "1" : "'text'"), {path});
        expect_refused(assignment(section, key, "false"), {path + "false"});
    });
}

TEST(JobFile, NoKeyLeavesItsBounds) {
    Job job;
    int bounded = 0;
    each_field(
        job, [&](std::string const& section, std::string const& key, auto const& value, Rule const& rule) {
            using T = std::decay_t<decltype(value)>;
            std::string const path = section + "." + key + "=";
            if constexpr (std::is_same_v<T, std::string>) {
                if (!rule.choices.empty())
                    expect_refused(assignment(section, key, "'nonsense'"),
                                   {path + "\"nonsense\"", rule.choices.back()});
            } else if constexpr (std::is_arithmetic_v<T>) {
                ASSERT_TRUE(std::isfinite(rule.min)) << path << " has no lower bound";
                ++bounded;
                bool const whole = std::is_same_v<T, std::int64_t>;
                expect_refused(assignment(section, key,
                                          whole ? fmt::format("{:.0f}", rule.min - 1)
                                                : fmt::format("{:.6f}", rule.min - 1e-3)),
                               {path});
                EXPECT_NO_THROW(
                    parse(assignment(section, key, fmt::format(whole ? "{:.0f}" : "{:.6f}", rule.min)), ""));
                if (!whole)
                    expect_refused(assignment(section, key, "nan"), {path + "nan"});
                if (!std::isfinite(rule.max))
                    return;
                expect_refused(assignment(section, key,
                                          whole ? fmt::format("{:.0f}", rule.max + 1)
                                                : fmt::format("{:.6f}", rule.max + 1e-3)),
                               {path});
                EXPECT_NO_THROW(
                    parse(assignment(section, key, fmt::format(whole ? "{:.0f}" : "{:.6f}", rule.max)), ""));
            }
        });
    EXPECT_GT(bounded, 20);
}

TEST(JobFile, SyntaxErrorsNameFileAndLine) {
    expect_refused("[job]\nname = 'x'\nseed = \n", {"job.toml:3: "});
    expect_refused("[job\n", {"job.toml:1: "});
    expect_refused("[job]\nseed = 1\nseed = 2\n", {"job.toml:3: "});
}

TEST(JobFile, SetOverridesTheFile) {
    std::string const text = "[compute]\nbatch_size = 3\nthreads = 2\n";
    Job const job =
        parse(text, "job.toml",
              {"compute.batch_size=64", "model.train.epochs=7", "usage.confidence=0.9",
               "usage.signals=[\"loss\", \"margin\"]", "job.name=\"quoted\"", "dataset.held_out=''"});
    EXPECT_EQ(job.compute.batch_size, 64);
    EXPECT_EQ(job.compute.threads, 2); // what is not set stays
    EXPECT_EQ(job.train.epochs, 7);
    EXPECT_EQ(job.usage.confidence, 0.9);
    EXPECT_EQ(job.usage.signals, (std::vector<std::string>{"loss", "margin"}));
    EXPECT_EQ(job.job.name, "quoted");
    EXPECT_EQ(job.dataset.held_out, "");
}

TEST(JobFile, SetTakesUnquotedStrings) {
    Job const job = parse("", "job.toml",
                          {"job.name=plain", "dataset.suspects=/a.b/c=d.h5", "model.file=../m 1.pt",
                           "model.train.network=mlp"});
    EXPECT_EQ(job.job.name, "plain");
    EXPECT_EQ(job.dataset.suspects, "/a.b/c=d.h5"); // dots and '=' after the first '=' belong to the value
    EXPECT_EQ(job.model.file, "../m 1.pt");
    EXPECT_EQ(job.train.network, "mlp");
}

// They would come back from the results file as other bytes
TEST(JobFile, SetTakesTextOnly) {
    for (std::string const value : {"a\xff", "\xff\xfe", "a\x01"})
        expect_refused([&] { parse("", "job.toml", {"dataset.suspects=" + value}); },
                       {"--set dataset.suspects=", "text"});
}

TEST(JobFile, TheLastSetWins) {
    EXPECT_EQ(parse("", "job.toml", {"job.seed=1", "job.seed=2"}).job.seed, 2);
}

TEST(JobFile, SetIsCheckedAsTheFileIs) {
    auto const with = [](std::string const& text, std::string const& set) {
        return [=] { parse(text, "job.toml", {set}); };
    };
    expect_refused(with("", "compute.batch_size"), {"--set compute.batch_size", "section.key=value"});
    expect_refused(with("", "batch_size=3"), {"--set batch_size=3", "section.key=value"});
    expect_refused(with("", "compute.batchsize=3"), {"unknown key compute.batchsize "});
    expect_refused(with("", "compute.batch_size=many"), {"compute.batch_size='many'", "a whole number"});
    expect_refused(with("", "compute.batch_size="), {"compute.batch_size=", "a whole number"});
    expect_refused(with("", "compute.batch_size=0"), {"compute.batch_size=0", "[1,"});
    expect_refused(with("compute = 3\n", "compute.threads=1"), {"--set compute.threads=1", "compute"});
    expect_refused(with("", "model.train=3"), {"model.train"});
}

TEST(JobFile, CheckAcceptsTheSmallestJobs) {
    EXPECT_NO_THROW(check(parse(kSmallest, "")));
    EXPECT_NO_THROW(check(parse("[dataset]\nsuspects = 's.h5'\n[model.train]\nnetwork = 'mlp'\n", "")));
}

TEST(JobFile, CheckRefusesNamesThatAreNoFolder) {
    for (char const* name : {"", "a/b", ".hidden", "..", "a b", "ü"})
        expect_check_refuses(fmt::format("job.name='{}'", name),
                             {fmt::format("job.name=\"{}\"", name), "Use letters"});
    EXPECT_NO_THROW(check(parse(kSmallest, "", {"job.name='A-1_b.c'"})));
}

TEST(JobFile, CheckWantsDataAndOneModel) {
    expect_check_refuses("dataset.suspects=''", {"dataset.suspects", "missing"});
    expect_check_refuses("model.file=''", {"model.file", "missing", "model.train.network"});
    expect_check_refuses("model.train.network=cnn", {"model.file=\"m.pt\"", "model.train.network=\"cnn\""});
}

TEST(JobFile, CheckOfTraining) {
    std::string const trained = "[dataset]\nsuspects = 's.h5'\n[model.train]\nnetwork = 'mlp'\n";
    expect_check_refuses("model.train.micro_batch=64;model.train.batch_size=32",
                         {"model.train.micro_batch=64", "model.train.batch_size=32"}, trained);
    expect_check_refuses("model.train.usage_fraction=0", {"model.train.filler", "missing"}, trained);
    EXPECT_NO_THROW(check(parse(trained, "", {"model.train.usage_fraction=0", "model.train.filler=f.h5"})));
    // What belongs to training does not matter to a job that loads its model
    EXPECT_NO_THROW(check(parse(kSmallest, "", {"model.train.micro_batch=64", "model.train.batch_size=32"})));
}

TEST(JobFile, CheckOfNormalisation) {
    expect_check_refuses("dataset.mean=[0.5]", {"dataset.mean", "1 entries", "dataset.deviation"});
    expect_check_refuses("dataset.mean=[0.5];dataset.deviation=[1, 1]", {"dataset.mean", "2"});
    for (char const* deviation : {"0", "-1", "nan"})
        expect_check_refuses(fmt::format("dataset.mean=[0.5];dataset.deviation=[{}]", deviation),
                             {fmt::format("dataset.deviation={}", deviation), "positive"});
    // The whole data set would become NaN, or one constant
    expect_check_refuses("dataset.mean=[nan];dataset.deviation=[1]", {"dataset.mean=nan"});
    expect_check_refuses("dataset.mean=[inf];dataset.deviation=[1]", {"dataset.mean=inf"});
    expect_check_refuses("dataset.mean=[0];dataset.deviation=[inf]", {"dataset.deviation=inf"});
}

TEST(JobFile, CheckOfUsage) {
    expect_check_refuses("usage.reference=held_out", {"usage.reference=\"held_out\"", "dataset.held_out"});
    expect_check_refuses("usage.scorer=logistic", {"usage.scorer=\"logistic\"", "dataset.held_out"});
    expect_check_refuses("usage.scorer=logistic;dataset.held_out=h.h5;usage.reference=partners",
                         {"usage.scorer=\"logistic\""});
    expect_check_refuses("usage.signals=[]", {"usage.signals=[]"});
    EXPECT_NO_THROW(check(parse(kSmallest, "", {"usage.scorer=logistic", "dataset.held_out=h.h5"})));
}

TEST(JobFile, DifferenceNamesTheKeys) {
    Job job;
    std::string const before = dump(job);
    job.output.directory = "elsewhere";
    EXPECT_EQ(difference(before, dump(job)), "");
    job.compute.threads = 7;
    EXPECT_EQ(difference(before, dump(job)), "compute.threads = 7 (was 1)");
    EXPECT_EQ(difference("[compute]\n", "[compute]\nthreads = 7\n"), "compute.threads = 7 (was not there)");
    EXPECT_EQ(difference("[compute]\nthreads = 7\n", "[compute]\n"), "compute.threads is gone (was 7)");
    job.job.seed = 5, job.compute.batch_size = 3, job.usage.bootstrap = 50;
    EXPECT_TRUE(difference(before, dump(job)).ends_with(", ..."));
}

TEST(JobFile, HashIgnoresOutputOnly) {
    Job const original = changed_throughout();
    std::set<std::string> hashes{hash(original)};
    Job job = original;
    each_field(job, [&](std::string const& section, std::string const& key, auto& value, Rule const& rule) {
        auto const before = value;
        value = {}; // a change for all: changed_throughout() holds no empty or zero value but a few
        if (value == before)
            change(value, rule);
        if (section == "output")
            EXPECT_EQ(hash(job), hash(original)) << section << "." << key;
        else
            EXPECT_TRUE(hashes.insert(hash(job)).second) << section << "." << key;
        value = before;
    });
    EXPECT_EQ(hash(job), hash(original));
}

class JobFileOnDisk : public testing::Test {
  protected:
    JobFileOnDisk() {
        std::string name = (fs::temp_directory_path() / "assay-job-XXXXXX").string();
        folder_ = mkdtemp(name.data());
    }
    ~JobFileOnDisk() override { fs::remove_all(folder_); }
    fs::path with(std::string const& text) const {
        std::ofstream(folder_ / "job.toml") << text;
        return folder_ / "job.toml";
    }
    fs::path folder_;
};

TEST_F(JobFileOnDisk, IsReadOverriddenAndChecked) {
    Job const job = read(with(kSmallest), {"job.seed=3"});
    EXPECT_EQ(job.dataset.suspects, "s.h5");
    EXPECT_EQ(job.job.seed, 3);
    expect_refused([&] { read(with("[model]\nfile = 'm.pt'\n")); }, {"dataset.suspects"});
}

TEST_F(JobFileOnDisk, IsNamedWhenItCannotBeRead) {
    for (auto const& path : {folder_ / "missing.toml", with(""), folder_})
        expect_refused([&] { read(path); }, {path.string() + ": cannot be read"});
    fs::path const path = with("[job]\nseed = \n");
    expect_refused([&] { read(path); }, {path.string() + ":2: "});
}

} // namespace
} // namespace assay::job
