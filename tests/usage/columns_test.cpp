#include "assay/usage/columns.hpp"

#include "data/fixtures.hpp"

#include <cmath>
#include <map>

using namespace assay;
using namespace assay::usage;
using namespace assay::data::test;

namespace {

using Values = std::vector<float>;
using Numbers = std::vector<std::uint64_t>;

// A results file as a user may write it, column by column
class HandWritten {
  public:
    explicit HandWritten(fs::path const& path)
        : path_(path), file_(store::create_file(path)), parents_(H5Pcreate(H5P_LINK_CREATE), "H5Pcreate") {
        H5Pset_create_intermediate_group(parents_.id(), 1);
    }

    template <class T>
    HandWritten& column(std::string const& path, std::vector<T> const& values, store::Shape shape = {}) {
        if (shape.empty())
            shape = {values.size()};
        store::Handle const dataset = store::create_dataset(file_, path, store::native_type<T>(), shape);
        store::write_rows(dataset, 0, shape[0], store::native_type<T>(), values.data());
        return *this;
    }
    HandWritten& attribute(std::string const& path, std::string const& name, std::string const& value) {
        store::write_string(file_, path, name, value);
        return *this;
    }
    HandWritten& group(std::string const& path) {
        store::create_group(file_, path);
        return *this;
    }
    HandWritten& link(std::string const& to, std::string const& from) {
        EXPECT_GE(H5Lcreate_soft(to.c_str(), file_.id(), from.c_str(), parents_.id(), H5P_DEFAULT), 0);
        return *this;
    }
    // Declared only
    HandWritten& unwritten(std::string const& path, hid_t type, hsize_t rows) {
        store::Handle const space(H5Screate_simple(1, &rows, nullptr), "H5Screate_simple");
        store::Handle const column(
            H5Dcreate2(file_.id(), path.c_str(), type, space.id(), parents_.id(), H5P_DEFAULT, H5P_DEFAULT),
            path);
        return *this;
    }
    AuditInput read(std::string const& reference, std::uint64_t limit = 1 << 20,
                    std::string const& partners = "auto") {
        file_.close();
        return read_columns(path_, reference, limit, partners);
    }
    // The message with which it is refused, which must name the file
    std::string refusal(std::string const& reference = "auto") {
        std::string const message = error_of(Exit::data, [&] { read(reference); });
        expect_in(message, {path_.filename().string()});
        return message;
    }

  private:
    fs::path path_;
    store::Handle file_, parents_;
};

// Three suspects with two signals
HandWritten suspects(TempDir const& dir) {
    HandWritten file(dir / "hand.h5");
    file.column("/samples/id", Numbers{7, 5, 9});
    file.column("/signals/loss", Values{-1, -2, -3}).column("/signals/margin", Values{4, 5, 6});
    return file;
}

HandWritten with_partners(TempDir const& dir) {
    HandWritten file = suspects(dir);
    file.column("/partners/loss", Values{-4, -5, -6}).column("/partners/margin", Values{1, 2, 3});
    return file;
}

HandWritten with_held_out(TempDir const& dir) {
    HandWritten file = suspects(dir);
    file.column("/held_out/samples/id", Numbers{1, 2});
    file.column("/held_out/signals/loss", Values{-8, -9}).column("/held_out/signals/margin", Values{0, 1});
    return file;
}

using Columns = std::vector<std::vector<double>>;

Audit full_audit() {
    Audit audit;
    audit.status = Status::estimated;
    audit.reason = "all is well";
    audit.lower_bound = 0.25;
    audit.fraction = 0.5;
    audit.interval = {0.25, 0.75};
    audit.signals = {"loss", "margin"};
    audit.dropped = {"logit"};
    audit.estimates.fill(0.375);
    audit.estimates[estimator("covariance_moment")] = 0.625;
    audit.known_members = KnownMembers{5, AdjustedCount{0.5, 0.125, 1}, 0.4375};
    audit.bootstrap = {{0.125, 0.25, 0.5, 0.75}, {1, 2, 3, 4}};
    audit.control = Control{};
    audit.control->score_shift = 0.0625;
    audit.paired = true;
    audit.partners = "redrawn";
    audit.considered = {{"redrawn", {.none = 0.0625, .all = 0.75}}, {"mixtures", {.none = 0, .all = 0.125}}};
    return audit;
}

std::vector<std::string> names(store::Metrics const& metrics) {
    std::vector<std::string> result{metrics.group};
    for (auto const& [name, value] : metrics.numbers)
        result.push_back("number " + name);
    for (auto const& [name, value] : metrics.texts)
        result.push_back("text " + name);
    for (auto const& [name, value] : metrics.tables)
        result.push_back("table " + name);
    return result;
}

double number(store::Metrics const& metrics, std::string const& wanted) {
    for (auto const& [name, value] : metrics.numbers)
        if (name == wanted)
            return value;
    ADD_FAILURE() << "no " << wanted;
    return 0;
}

} // namespace

TEST(ReadColumns, PairsSuspectsWithTheirPartners) {
    TempDir const dir;
    AuditInput const input = with_partners(dir).read("auto");
    EXPECT_TRUE(input.paired);
    EXPECT_EQ(input.suspect_ids, (Numbers{7, 5, 9}));
    EXPECT_EQ(input.suspects.names, (std::vector<std::string>{"loss", "margin"}));
    EXPECT_EQ(input.suspects.columns, (Columns{{-1, -2, -3}, {4, 5, 6}}));
    EXPECT_EQ(input.reference.names, input.suspects.names);
    EXPECT_EQ(input.reference.columns, (Columns{{-4, -5, -6}, {1, 2, 3}}));
    EXPECT_FALSE(input.control.has_value());
}

TEST(ReadColumns, ReadsTheControl) {
    TempDir const dir;
    AuditInput const input = with_partners(dir)
                                 .column("/controls/margin", Values{7, 8, 9})
                                 .column("/controls/loss", Values{-7, -8, -9})
                                 .read("partners");
    ASSERT_TRUE(input.control.has_value());
    EXPECT_EQ(input.control->names, input.suspects.names);
    EXPECT_EQ(input.control->columns, (Columns{{-7, -8, -9}, {7, 8, 9}}));
}

TEST(ReadColumns, ReadsALadder) {
    TempDir const dir;
    HandWritten file = with_partners(dir);
    for (std::string const rung : {"/partners_2", "/partners_3", "/partners_4"})
        file.column(rung + "/margin", Values{7, 8, 9})
            .column(rung + "/loss", Values{1, 2, static_cast<float>(rung.back() - '0')});
    AuditInput const input = file.read("partners");
    EXPECT_FALSE(input.control.has_value());
    ASSERT_TRUE(input.upper_rungs.has_value());
    EXPECT_EQ(input.reference.columns, (Columns{{-4, -5, -6}, {1, 2, 3}}));
    for (std::size_t k = 0; k < 3; ++k)
        EXPECT_EQ((*input.upper_rungs)[k].columns, (Columns{{1, 2, static_cast<double>(k + 2)}, {7, 8, 9}}));
    expect_in(with_partners(dir).column("/partners_2/loss", Values{1, 2, 3}).refusal(),
              {"/partners_2/margin"});
}

// Three suspects with mixtures and redrawn partners; two of three reference models had seen each
HandWritten with_both(TempDir const& dir, bool references) {
    HandWritten file = suspects(dir);
    auto const both_signals = [&](std::string const& group, float value) {
        file.column(group + "/loss", Values{value, value + 1, value - 1})
            .column(group + "/margin", Values{value, value + 2, value - 2});
    };
    float value = 10;
    for (std::string const group :
         {"/partners", "/partners_2", "/partners_3", "/partners_4", "/redrawn", "/redrawn_2"})
        both_signals(group, value++);
    for (std::size_t r = 0; references && r < 3; ++r) {
        for (std::string const group : {"/signals", "/partners", "/partners_2", "/redrawn", "/redrawn_2"})
            both_signals(of_reference(r, group), value++);
        std::vector<std::uint8_t> member(3, 0);
        member[r] = 1;
        file.column(of_reference(r, "/member"), member);
    }
    return file;
}

TEST(ReadColumns, TellsConstructionsOfPartnersApart) {
    TempDir const dir;
    for (char const* wanted : {"auto", "redrawn"}) {
        AuditInput const redrawn = with_both(dir, false).read("partners", 1000, wanted);
        EXPECT_EQ(redrawn.partners, "redrawn");
        EXPECT_EQ(redrawn.reference.columns, (Columns{{14, 15, 13}, {14, 16, 12}}));
        ASSERT_TRUE(redrawn.control);
        EXPECT_EQ(redrawn.control->columns[0], (std::vector<double>{15, 16, 14}));
        EXPECT_TRUE(redrawn.considered.empty());
    }
    AuditInput const mixtures = with_both(dir, true).read("partners", 1000, "mixtures");
    EXPECT_EQ(mixtures.partners, "mixtures");
    EXPECT_EQ(mixtures.reference.columns[0], (std::vector<double>{10, 11, 9}));
    ASSERT_EQ(mixtures.references.size(), 3U);
    EXPECT_EQ(mixtures.references[1].views[2].columns[0], (std::vector<double>{23, 24, 22}));
    AuditInput const considered = with_both(dir, true).read("partners");
    ASSERT_EQ(considered.considered.size(), 2U);
    EXPECT_EQ(considered.considered[0].partners, "redrawn");
    EXPECT_EQ(considered.considered[1].partners, "mixtures");
    EXPECT_EQ(with_partners(dir).read("partners").partners, "given");
    expect_in(error_of(Exit::data, [&] { with_partners(dir).read("partners", 1000, "redrawn"); }),
              {"usage.partners=\"redrawn\"", "Use \"auto\""});
}

TEST(ReadColumns, TakesHeldOutSamplesWithTheirOwnIds) {
    TempDir const dir;
    AuditInput const input = with_held_out(dir).read("auto");
    EXPECT_FALSE(input.paired);
    EXPECT_EQ(input.reference_ids, (Numbers{1, 2}));
    EXPECT_EQ(input.reference.columns, (Columns{{-8, -9}, {0, 1}}));
}

TEST(ReadColumns, TakesKnownMembersBesideEitherReference) {
    TempDir const dir;
    auto const with_members = [](HandWritten file) {
        file.column("/known_members/samples/id", Numbers{8, 4});
        file.column("/known_members/signals/loss", Values{-1, -2});
        file.column("/known_members/signals/margin", Values{7, 6});
        return file;
    };
    for (AuditInput const& input :
         {with_members(with_held_out(dir)).read("auto"), with_members(with_partners(dir)).read("auto")}) {
        ASSERT_TRUE(input.members.has_value());
        EXPECT_EQ(input.member_ids, (Numbers{8, 4}));
        EXPECT_EQ(input.members->columns, (Columns{{-1, -2}, {7, 6}}));
    }
    HandWritten half = with_held_out(dir);
    half.column("/known_members/samples/id", Numbers{8});
    half.column("/known_members/signals/loss", Values{-1});
    expect_in(half.refusal(), {"/known_members/signals/margin"});
}

TEST(ReadColumns, ChoosesTheReferenceAskedFor) {
    auto const both = [](TempDir const& dir) {
        HandWritten file = with_held_out(dir);
        file.column("/partners/loss", Values{-4, -5, -6}).column("/partners/margin", Values{1, 2, 3});
        file.column("/controls/loss", Values{0, 0, 0}).column("/controls/margin", Values{0, 0, 0});
        return file;
    };
    TempDir const dir;
    AuditInput const partners = both(dir).read("partners");
    EXPECT_TRUE(partners.paired && partners.control);
    for (char const* reference : {"held_out", "auto"}) { // held-out data are worth more
        AuditInput const input = both(dir).read(reference);
        EXPECT_FALSE(input.paired || input.control) << reference;
        EXPECT_EQ(input.reference.rows(), 2U) << reference;
    }
}

TEST(ReadColumns, NegatesSignalsThatMeanNonMember) {
    TempDir const dir;
    HandWritten file = with_partners(dir);
    file.column("/controls/loss", Values{7, 8, 9}).column("/controls/margin", Values{7, 8, 9});
    for (char const* path : {"/signals/loss", "/partners/loss", "/controls/loss"})
        file.attribute(path, "larger_means", "non-member");
    file.attribute("/signals/margin", "larger_means", "member");
    AuditInput const input = file.read("auto");
    EXPECT_EQ(input.suspects.columns, (Columns{{1, 2, 3}, {4, 5, 6}}));
    EXPECT_EQ(input.reference.columns, (Columns{{4, 5, 6}, {1, 2, 3}}));
    EXPECT_EQ(input.control->columns, (Columns{{-7, -8, -9}, {7, 8, 9}}));
}

TEST(ReadColumns, TakesWhatPythonWritesUnasked) {
    TempDir const dir;
    AuditInput const input = HandWritten(dir / "hand.h5")
                                 .column("/samples/id", std::vector<std::int64_t>{7, 5})
                                 .column("/signals/loss", std::vector<double>{0.1, 0.2})
                                 .column("/partners/loss", std::vector<double>{0.3, 0.4})
                                 .column("/partners/more", std::vector<double>{1}) // of no interest
                                 .read("auto");
    EXPECT_EQ(input.suspect_ids, (Numbers{7, 5}));
    EXPECT_EQ(input.suspects.columns, (Columns{{0.1, 0.2}}));
}

TEST(ReadColumns, NeverLooksAtTheTruth) {
    TempDir const dir;
    AuditInput const plain = with_partners(dir).read("auto");
    AuditInput const with_truth =
        with_partners(dir).column("/truth/member", std::vector<double>{std::nan("")}).read("auto");
    EXPECT_EQ(plain.suspects.columns, with_truth.suspects.columns);
    EXPECT_EQ(plain.suspects.names, with_truth.suspects.names);
}

TEST(ReadColumns, NamesWhatIsMissing) {
    TempDir const dir;
    expect_in(HandWritten(dir / "hand.h5").column("/samples/id", Numbers{1}).refusal(), {"/signals"});
    expect_in(suspects(dir).refusal(), {"/partners", "/held_out/signals"});
    expect_in(with_partners(dir).refusal("held_out"), {"/held_out/signals"});
    expect_in(with_held_out(dir).refusal("partners"), {"/partners"});
    expect_in(suspects(dir).column("/partners/loss", Values{1, 2, 3}).refusal(), {"/partners/margin"});
    expect_in(with_partners(dir).column("/controls/loss", Values{1, 2, 3}).refusal(), {"/controls/margin"});
    expect_in(HandWritten(dir / "hand.h5")
                  .column("/signals/loss", Values{1})
                  .column("/partners/loss", Values{1})
                  .refusal(),
              {"/samples/id"});
    HandWritten no_ids = suspects(dir);
    no_ids.column("/held_out/signals/loss", Values{1}).column("/held_out/signals/margin", Values{1});
    expect_in(no_ids.refusal(), {"/held_out/samples/id"});
    expect_in(error_of(Exit::data, [&] { read_columns(dir / "missing.h5", "auto", 1000); }), {"missing.h5"});
}

TEST(ReadColumns, NamesWhatIsIllTypedOrRagged) {
    TempDir const dir;
    expect_in(suspects(dir).column("/partners/loss", Values{1, 2}).refusal(),
              {"/partners/loss", "[2]", "[3]"});
    expect_in(with_held_out(dir).column("/signals/more", Values{1, 2}).refusal(),
              {"/signals/more", "[2]", "[3]"});
    expect_in(suspects(dir)
                  .column("/signals/wide", Values(6), {3, 2})
                  .column("/partners/loss", Values{1, 2, 3})
                  .refusal(),
              {"/signals/wide", "[3, 2]"});
    expect_in(suspects(dir)
                  .column("/signals/whole", std::vector<std::int64_t>{1, 2, 3})
                  .column("/partners/loss", Values{1, 2, 3})
                  .refusal(),
              {"/signals/whole", "int64", "float32"});
    expect_in(suspects(dir).group("/signals/nested").column("/partners/loss", Values{1, 2, 3}).refusal(),
              {"/signals/nested"});
    expect_in(HandWritten(dir / "hand.h5")
                  .column("/samples/id", Values{1, 2})
                  .column("/signals/loss", Values{1, 2})
                  .column("/partners/loss", Values{1, 2})
                  .refusal(),
              {"/samples/id", "float32", "uint64"});
    expect_in(HandWritten(dir / "hand.h5")
                  .column("/samples/id", Numbers{1, 2}, {2, 1})
                  .column("/signals/loss", Values{1, 2})
                  .column("/partners/loss", Values{1, 2})
                  .refusal(),
              {"/samples/id", "rank 2"});
}

// What other files hold is not what the audit's hash covers, and what was never written reads as zeros
TEST(ReadColumns, RefusesValuesThatTheFileDoesNotHold) {
    TempDir const dir;
    expect_in(with_partners(dir).link("/signals/loss", "/signals/other").refusal(),
              {"/signals/other", "link"});
    expect_in(with_partners(dir).link("/signals", "/held_out/signals").refusal("held_out"),
              {"no /held_out/samples/id"});
    expect_in(suspects(dir).link("/signals", "/partners").refusal(), {"/partners/loss", "link"});
    expect_in(HandWritten(dir / "hand.h5")
                  .unwritten("/samples/id", H5T_NATIVE_UINT64, std::uint64_t{1} << 60)
                  .column("/signals/loss", Values{1})
                  .column("/partners/loss", Values{1})
                  .refusal(),
              {"/samples/id", "never written"});
    expect_in(suspects(dir).unwritten("/partners/loss", H5T_NATIVE_FLOAT, 3).refusal(),
              {"/partners/loss", "never written"});
    expect_in(HandWritten(dir / "hand.h5").column("/signals", Values{1}).refusal(), {"/signals"});
}

TEST(ReadColumns, RefusesAnUnknownOrientation) {
    TempDir const dir;
    expect_in(with_partners(dir).attribute("/partners/loss", "larger_means", "mislabelled").refusal(),
              {"/partners/loss", "larger_means", "mislabelled"});
}

TEST(Metrics, HaveTheSameNamesWhateverTheirValues) {
    EXPECT_EQ(names(metrics(Audit{})), names(metrics(full_audit())));
    store::ResultLayout layout;
    announce_metrics(layout, 2);
    std::vector<std::string> announced{kMetrics};
    for (auto const& name : layout.metric_names[kMetrics])
        announced.push_back("number " + name);
    for (auto const& name : layout.metric_texts[kMetrics])
        announced.push_back("text " + name);
    ASSERT_EQ(layout.columns.size(), 1U);
    EXPECT_EQ(layout.columns[0].path, "/metrics/usage/bootstrap");
    announced.push_back("table bootstrap");
    EXPECT_EQ(names(metrics(full_audit())), announced);
    EXPECT_EQ(layout.columns[0].shape, (store::Shape{2, 4}));
    EXPECT_EQ(metrics(full_audit()).tables[0].second,
              (std::vector<double>{0.125, 0.25, 0.5, 0.75, 1, 2, 3, 4}));
}

TEST(Metrics, AreNanWhereThereIsNoValue) {
    store::Metrics const none = metrics(Audit{}), full = metrics(full_audit());
    for (char const* name :
         {"fraction", "interval_low", "interval_high", "covariance_moment", "em_shared_width", "tice",
          "patra_sen", "dedpul", "control_shift", "control_p_value", "control_lower_bound",
          "known_members_adjusted_count", "known_members_adjusted_count_se", "known_members_emq"}) {
        EXPECT_TRUE(std::isnan(number(none, name))) << name;
        EXPECT_FALSE(std::isnan(number(full, name))) << name;
    }
    EXPECT_EQ(number(full, "fraction"), 0.5);
    EXPECT_EQ(number(full, "interval_low"), 0.25);
    EXPECT_EQ(number(full, "interval_high"), 0.75);
    EXPECT_EQ(number(full, "lower_bound"), 0.25);
    EXPECT_EQ(number(full, "control_shift"), 0.0625);
    EXPECT_EQ(number(full, "covariance_moment"), 0.625);
    EXPECT_EQ(number(full, "known_members"), 5);
    EXPECT_EQ(number(none, "known_members"), 0);
}

TEST(Metrics, SayInWordsWhatWasCompared) {
    auto const texts = metrics(full_audit()).texts;
    std::map<std::string, std::string> const text(texts.begin(), texts.end());
    EXPECT_EQ(text.at("status"), "estimated");
    EXPECT_EQ(text.at("reason"), "all is well");
    EXPECT_EQ(text.at("reference"), "redrawn");
    EXPECT_EQ(text.at("considered_partners"), "redrawn: none 0.06, all 0.75; mixtures: none 0.00, all 0.12");
    EXPECT_EQ(text.at("signals"), "loss margin");
    EXPECT_EQ(text.at("dropped_signals"), "logit");
}

// Of 50,000 suspects and 300 held-out samples 2,000 are wanted: suspects are thinned, the others all stay
TEST(ReadColumns, DrawsFromLargeSidesById) {
    TempDir const dir;
    std::size_t const n = 50000;
    Numbers ids(n), held_out(300);
    Values value(n);
    for (std::size_t i = 0; i < n; ++i) {
        ids[i] = 3 * (n - i);
        value[i] = static_cast<float>(i);
    }
    std::iota(held_out.begin(), held_out.end(), 1U);
    auto const write = [&](fs::path const& path) {
        HandWritten file(path);
        file.column("/samples/id", ids).column("/signals/loss", value);
        file.column("/held_out/samples/id", held_out).column("/held_out/signals/loss", Values(300, 1));
        return file;
    };
    AuditInput const input = write(dir / "a.h5").read("auto", 2000);
    EXPECT_EQ(input.suspects_total, n);
    EXPECT_EQ(input.reference_total, 300U);
    EXPECT_EQ(input.reference_ids, held_out);
    ASSERT_EQ(input.suspect_rows.size(), input.suspect_ids.size());
    EXPECT_NEAR(static_cast<double>(input.suspect_ids.size()), 2000, 5 * 44); // 5 sd of a binomial
    std::size_t early = 0;
    for (std::size_t i = 0; i < input.suspect_ids.size(); ++i) {
        EXPECT_EQ(input.suspect_ids[i], ids[input.suspect_rows[i]]);
        EXPECT_EQ(input.suspects.columns[0][i], static_cast<double>(input.suspect_rows[i]));
        early += input.suspect_rows[i] < n / 2;
    }
    EXPECT_NEAR(static_cast<double>(early), 1000, 5 * 32); // from everywhere alike
    // Whatever the order of the rows, the same samples are drawn
    std::ranges::reverse(ids);
    Numbers drawn = write(dir / "b.h5").read("auto", 2000).suspect_ids;
    std::ranges::reverse(drawn);
    EXPECT_EQ(drawn, input.suspect_ids);
    EXPECT_TRUE(write(dir / "c.h5").read("auto", n).suspect_rows.empty()); // all fit
}

TEST(ReadColumns, TakesWhatTheJobScores) {
    TempDir const dir;
    HandWritten file(dir / "a.h5");
    for (char const* group : {"/signals/", "/held_out/signals/"})
        for (char const* name : {"loss", "label_gain", "guidance_slope", "mine"})
            file.column(std::string(group) + name, Values{1, 2, 3});
    file.column("/samples/id", Numbers{1, 2, 3}).column("/held_out/samples/id", Numbers{4, 5, 6});
    file.read("auto"); // closes it
    using Names = std::vector<std::string>;
    job::Job job;
    auto const names = [&](Names const& asked) {
        job.usage.signals = asked;
        AuditInput const input = read_columns(dir / "a.h5", job);
        EXPECT_EQ(input.reference.names, input.suspects.names);
        EXPECT_EQ(input.reference.columns.size(), input.suspects.names.size());
        return input.suspects.names;
    };
    job.model.family = "autoregressive";
    EXPECT_EQ(names({"default"}), (Names{"loss", "mine"}));
    EXPECT_EQ(names({"label_gain"}), (Names{"label_gain", "mine"})); // a column of no family stays
    job.model.family = "classifier";
    EXPECT_EQ(names({"default"}), (Names{"guidance_slope", "label_gain", "loss", "mine"}));
}

TEST(ReadColumns, RefusesAJobThatScoresNothing) {
    TempDir const dir;
    HandWritten file(dir / "a.h5");
    for (char const* group : {"/signals/", "/held_out/signals/"})
        file.column(std::string(group) + "loss", Values{1, 2, 3});
    file.column("/samples/id", Numbers{1, 2, 3}).column("/held_out/samples/id", Numbers{4, 5, 6});
    file.read("auto");
    job::Job job;
    auto const refusal = [&] { return error_of(Exit::usage, [&] { read_columns(dir / "a.h5", job); }); };
    job.usage.signals = {"logit"};
    expect_in(refusal(), {"a.h5", "usage.signals", "(loss)"});
    job.usage.signals = {"loss", "logit"}; // one of two would pass for both
    expect_in(refusal(), {"a.h5", "usage.signals holds \"logit\"", "(loss)", "Run the job with it"});
    job.usage.signals = {"default", "losss"};
    expect_in(refusal(), {"\"losss\"", "no column"});
    job.usage.signals = {}; // names nothing of the family
    expect_in(refusal(), {"a.h5", "leaves none", "(loss)"});
}

TEST(AuditOptions, FollowTheJob) {
    job::Job job;
    job.job.seed = 5;
    job.usage.confidence = 0.9;
    job.usage.bootstrap = 77;
    job.usage.scorer = "logistic";
    AuditOptions const options = audit_options(job);
    EXPECT_EQ(options.seed, 5U);
    EXPECT_EQ(options.confidence, 0.9);
    EXPECT_EQ(options.bootstrap, 77);
    EXPECT_TRUE(options.logistic);
    EXPECT_FALSE(audit_options(job::Job{}).logistic);
}
