#include "assay/report/summary.hpp"

#include "assay/store/hdf5.hpp"
#include "data/fixtures.hpp"

#include <cmath>

using namespace assay;
using namespace assay::report;
using namespace assay::data::test;
using nlohmann::ordered_json;
using usage::Audit;
using usage::Status;

namespace {

Audit audit_with(Status status) {
    Audit audit;
    audit.status = status;
    audit.reason = "by the numbers";
    audit.n_suspects = audit.suspects_total = 1000;
    audit.n_reference = audit.reference_total = 800;
    audit.confidence = 0.95;
    audit.p_value = 0.25;
    audit.signals = {"loss", "margin"};
    audit.implied_member_auc = std::nan("");
    audit.forced_fraction = 0.4375;
    if (status != Status::no_evidence) {
        audit.p_value = 0.0009765625;
        audit.lower_bound = 0.125;
    }
    if (status == Status::estimated) {
        audit.fraction = 0.4375;
        audit.interval = {0.125, 0.625};
        audit.implied_member_auc = 0.875;
    }
    if (status == Status::shift_suspect) {
        audit.paired = true;
        audit.control = usage::Control{};
        audit.control->signal_shift = {0.5, 0.25};
        audit.control->score_shift = 0.5;
    }
    return audit;
}

std::vector<Status> const kAll{Status::no_evidence, Status::shift_suspect, Status::lower_bound_only,
                               Status::unidentified, Status::estimated};

std::vector<std::string> keys(ordered_json const& object) {
    std::vector<std::string> result;
    for (auto const& [key, value] : object.items())
        result.push_back(key);
    return result;
}

std::string text_of(fs::path const& path) {
    Bytes const bytes = read_bytes(path);
    return {bytes.begin(), bytes.end()};
}

} // namespace

TEST(Summary, HasTheSameKeysWhateverTheStatus) {
    for (Status status : kAll) {
        SCOPED_TRACE(usage::to_string(status));
        ordered_json const all = summary("my run", audit_with(status), std::nullopt);
        EXPECT_EQ(keys(all), (std::vector<std::string>{"name", "kind", "software_version", "usage"}));
        EXPECT_EQ(keys(all["usage"]),
                  (std::vector<std::string>{"status", "lower_bound", "fraction", "interval", "p_value",
                                            "details", "statements"}));
        EXPECT_EQ(keys(all["usage"]["details"]),
                  keys(summary("other", audit_with(Status::estimated), std::nullopt)["usage"]["details"]));
        EXPECT_EQ(all["name"], "my run");
        EXPECT_EQ(all["kind"], "usage");
        EXPECT_EQ(all["usage"]["status"], usage::to_string(status));
        EXPECT_GE(all["usage"]["statements"].size(), 4U);
    }
}

TEST(Summary, GivesNullForWhatIsNotReported) {
    for (Status status : kAll) {
        SCOPED_TRACE(usage::to_string(status));
        ordered_json const found = summary("run", audit_with(status), std::nullopt)["usage"];
        bool const estimated = status == Status::estimated;
        EXPECT_EQ(found["fraction"].is_null(), !estimated);
        EXPECT_EQ(found["interval"].is_null(), !estimated);
        EXPECT_EQ(found["details"]["fraction"].is_null(), !estimated);
        EXPECT_EQ(found["details"]["interval_high"].is_null(), !estimated);
        EXPECT_EQ(found["details"]["implied_member_auc"].is_null(), !estimated); // NaN otherwise
        EXPECT_EQ(found["details"]["control_shift"].is_null(), status != Status::shift_suspect);
        EXPECT_EQ(found["lower_bound"], status == Status::no_evidence ? 0 : 0.125);
        EXPECT_EQ(found["details"]["unreported_fraction"], 0.4375);
    }
    ordered_json const found = summary("run", audit_with(Status::estimated), std::nullopt)["usage"];
    EXPECT_EQ(found["fraction"], 0.4375);
    EXPECT_EQ(found["interval"], (std::vector<double>{0.125, 0.625}));
    EXPECT_EQ(found["p_value"], 0.0009765625);
}

TEST(Summary, HoldsTheTruthOnlyWhereThereIsOne) {
    Audit const audit = audit_with(Status::estimated);
    ordered_json const known = summary("run", audit, Truth{0.5, 0.75});
    EXPECT_EQ(known["truth"]["fraction"], 0.5);
    EXPECT_EQ(known["truth"]["member_auc"], 0.75);
    EXPECT_TRUE(summary("run", audit, Truth{0, std::nan("")})["truth"]["member_auc"].is_null());
    // Beside the truth, nothing differs
    ordered_json without = known;
    without.erase("truth");
    EXPECT_EQ(without, summary("run", audit, std::nullopt));
}

TEST(Summary, SurvivesWritingAndReading) {
    for (Status status : kAll) {
        ordered_json const all = summary("run \"7\" à", audit_with(status), Truth{0.1, 0.7});
        EXPECT_EQ(ordered_json::parse(all.dump(2)), all);
    }
}

TEST(Answer, SaysThatNothingWasTested) {
    Audit audit = audit_with(Status::unidentified);
    audit.tested = false;
    audit.lower_bound = 0;
    audit.p_value = 1;
    EXPECT_EQ(answer(audit), "answer: unidentified; nothing can be said of this target");
    EXPECT_EQ(summary("run", audit, std::nullopt)["usage"]["details"]["tested"], 0);
    EXPECT_NE(table("run", audit, std::nullopt).find("nothing was tested"), std::string::npos);
}

TEST(Answer, IsOneLineForEveryStatus) {
    EXPECT_EQ(answer(audit_with(Status::estimated)),
              "answer: about 44 % of the suspect samples were used (95 % interval 12 % to 62 %)");
    EXPECT_EQ(answer(audit_with(Status::lower_bound_only)),
              "answer: lower bound only; at least 12 % of the suspect samples were used (95 % confidence)");
    EXPECT_EQ(answer(audit_with(Status::unidentified)),
              "answer: unidentified; at least 12 % of the suspect samples were used (95 % confidence)");
    EXPECT_EQ(answer(audit_with(Status::shift_suspect)),
              "answer: shift-suspect; no share can be given (p-value of no use 0.00098)"); // no accusation
    EXPECT_EQ(answer(audit_with(Status::no_evidence)),
              "answer: no evidence; no share can be given (p-value of no use 0.25)");
}

TEST(Answer, CallsNoPValueZero) {
    Audit audit = audit_with(Status::shift_suspect);
    audit.p_value = 0;
    expect_in(answer(audit), {"(p-value of no use < 1e-300)"});
}

TEST(Answer, NeverRoundsABoundUp) {
    Audit audit = audit_with(Status::lower_bound_only);
    audit.lower_bound = 0.1999;
    expect_in(answer(audit), {"at least 19 %"});
    audit.confidence = 0.975;
    expect_in(answer(audit), {"97.5 % confidence"});
}

TEST(Table, ShowsNumbersAssumptionsAndTruth) {
    Audit const audit = audit_with(Status::estimated);
    std::string const text = table("my run", audit, Truth{0.5, 0.75});
    expect_in(text, {"my run", "1000 suspect", "estimated (by the numbers)", "lower bound (95 %)", "0.125",
                     "0.438", "[0.125, 0.625]", "800 held-out samples", "Truth", "0.500", "0.750"});
    for (std::string const& statement : usage::statements(audit, true))
        expect_in(text, {statement});
    EXPECT_EQ(table("my run", audit, std::nullopt).find("Truth"), std::string::npos);
    EXPECT_EQ(text.find("known members"), std::string::npos);
    std::string const unknown = table("my run", audit_with(Status::unidentified), std::nullopt);
    EXPECT_EQ(unknown.find("0.438"), std::string::npos); // the share that is not to be reported
}

TEST(WriteSummary, DoesNotOverwriteOtherNumbersUnasked) {
    TempDir const dir;
    fs::path const folder = dir / "deep/folder", path = folder / "summary.json";
    ordered_json const first = summary("run", audit_with(Status::estimated), std::nullopt);
    ordered_json const other = summary("run", audit_with(Status::unidentified), std::nullopt);
    write_summary(folder, first, false);
    EXPECT_EQ(ordered_json::parse(text_of(path)), first);
    std::string const before = text_of(path);
    write_summary(folder, first, false); // the same again is fine
    EXPECT_EQ(text_of(path), before);
    expect_in(error_of(Exit::usage, [&] { write_summary(folder, other, false); }),
              {"summary.json", "--overwrite"});
    EXPECT_EQ(text_of(path), before);
    write_summary(folder, other, true);
    EXPECT_EQ(ordered_json::parse(text_of(path)), other);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1); // nothing temporary is left
}

TEST(WriteSummary, ReportsAFolderThatCannotBeMade) {
    TempDir const dir;
    write_text(dir / "file", "not a folder");
    ordered_json const numbers{{"a", 1}};
    expect_in(error_of(Exit::io, [&] { write_summary(dir / "file", numbers, false); }), {"file"});
    expect_in(error_of(Exit::io, [&] { write_summary(dir / "file" / "below", numbers, false); }), {"file"});
}

namespace {

// A results file with these truths, or none
fs::path truth_file(fs::path const& path, std::vector<std::uint8_t> const& member) {
    store::Handle const file = store::create_file(path);
    if (member.empty())
        return path;
    store::Handle const column =
        store::create_dataset(file, "/truth/member", store::native_type<std::uint8_t>(), {member.size()});
    store::write_rows(column, 0, member.size(), store::native_type<std::uint8_t>(), member.data());
    return path;
}

} // namespace

TEST(ReadTruth, ComparesMembersWithTheReference) {
    TempDir const dir;
    usage::AuditInput input;
    input.suspect_ids.resize(4);
    input.suspects = {{"loss"}, {{0.5, 9, 2.5, 9}}};
    input.reference = {{"loss"}, {{0, 1, 2, 3}}};
    auto const truth = read_truth(truth_file(dir / "t.h5", {1, 0, 1, 0}), input);
    ASSERT_TRUE(truth.has_value());
    EXPECT_EQ(truth->fraction, 0.5);
    EXPECT_DOUBLE_EQ(truth->member_auc, 0.5); // 0.5 beats 1 of 4, 2.5 beats 3 of 4
}

TEST(ReadTruth, CountsMembersOnly) {
    TempDir const dir;
    usage::AuditInput input;
    input.suspect_ids.resize(4);
    input.suspects = {{"loss"}, {{2.5, 0.5, 0.5, 0.5}}};
    input.reference = {{"loss"}, {{0, 1, 2, 3}}};
    auto const truth = read_truth(truth_file(dir / "t.h5", {1, 0, 0, 0}), input);
    EXPECT_EQ(truth->fraction, 0.25);
    EXPECT_DOUBLE_EQ(truth->member_auc, 0.75);
}

TEST(ReadTruth, IsAbsentWithoutTruthAndNanWithoutMembers) {
    TempDir const dir;
    usage::AuditInput input;
    input.suspect_ids.resize(2);
    input.suspects = {{"loss"}, {{1, 2}}};
    input.reference = {{"loss"}, {{0, 1, 2, 3}}};
    EXPECT_FALSE(read_truth(truth_file(dir / "none.h5", {}), input).has_value());
    auto const truth = read_truth(truth_file(dir / "t.h5", {0, 0}), input);
    EXPECT_EQ(truth->fraction, 0);
    EXPECT_TRUE(std::isnan(truth->member_auc));
}

TEST(Table, NamesEveryEstimator) {
    Audit audit = audit_with(Status::estimated);
    audit.estimates.fill(0.3125);
    audit.known_members = usage::KnownMembers{50, usage::AdjustedCount{0.5, 0.125, 1}, 0.4375};
    std::string const text = table("my run", audit, std::nullopt);
    for (usage::Estimator const& estimator : usage::kEstimators)
        expect_in(text, {fmt::format("  {:<28} 0.312\n", estimator.description)});
    expect_in(text, {"adjusted count, known members", "0.500 +- 0.125", "EMQ, known members", "0.438"});
}
