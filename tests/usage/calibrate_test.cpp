#include "assay/usage/calibrate.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"
#include "assay/base/stats.hpp"
#include "assay/usage/audit.hpp"
#include "assay/usage/choose_partners.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace assay::usage {
namespace {

using Values = std::vector<double>;

SignalTable table(Values values) {
    return {{"loss"}, {std::move(values)}};
}

Views views(Values suspects, Values partners, Values above) {
    return {table(std::move(suspects)), table(std::move(partners)), table(std::move(above))};
}

// Suspect i is expected at the mean of the references that have not seen it; target = 1 + 2 x expectation on
// partners, -3 + expectation on theirs
TEST(Calibrate, TakesOffWhatReferencesLetExpect) {
    std::vector<ReferenceModel> const references{
        {views({1, 9, 3}, {0, 1, 2}, {5, 6, 7}), {0, 1, 0}},
        {views({9, 5, 5}, {4, 3, 6}, {1, 2, 9}), {1, 0, 0}},
    };
    // Expectations: suspects 1, 5, 4; partners 0, 3, 4; theirs 5, 2, 8
    Calibrated const found = calibrate(views({3, 12, 9}, {1, 7, 9}, {2, -1, 5}), references);
    EXPECT_EQ(found.suspects.columns, (std::vector<Values>{{0, 1, 0}}));
    EXPECT_EQ(found.reference.columns, (std::vector<Values>{{0, 0, 0}}));
    EXPECT_EQ(found.control.columns, (std::vector<Values>{{0, 0, 0}}));
    EXPECT_EQ(found.control_suspects.columns, (std::vector<Values>{{1 + 3 - 0, 7 + 3 - 3, 9 + 3 - 4}}));
}

// Half the distance between the 16 % and 84 % quantiles over partners: the target's over the mean of theirs
TEST(RelativeSpread, ComparesHowWideAnswersToPartnersSpread) {
    Values narrow, wide, other(101, 5);
    for (int i = 0; i <= 100; ++i) {
        narrow.push_back(i);
        wide.push_back(-3 * i);
    }
    std::vector<std::uint8_t> const nobody(101, 0);
    std::vector<ReferenceModel> const references{{views(other, narrow, other), nobody},
                                                 {views(other, wide, other), nobody}};
    EXPECT_DOUBLE_EQ(relative_spread(table(narrow), references), 0.5);
    EXPECT_DOUBLE_EQ(relative_spread(table(wide), references), 1.5);
    EXPECT_DOUBLE_EQ(relative_spread(table(other), references), 0); // a target that says nothing
    EXPECT_DOUBLE_EQ(
        relative_spread(table(narrow), std::array{ReferenceModel{views(narrow, other, narrow), nobody}}), 0);
}

TEST(RelativeSpread, IsTheMedianOverSignalsThatVaryAmongReferences) {
    Values unit;
    for (int i = 0; i <= 100; ++i)
        unit.push_back(i);
    auto const scaled = [&](std::vector<double> const& by) {
        SignalTable result;
        for (double factor : by) {
            result.names.push_back(std::to_string(result.names.size()));
            Values& column = result.columns.emplace_back(unit);
            for (double& value : column)
                value *= factor;
        }
        return result;
    };
    SignalTable const usual = scaled({1, 1, 0, 1});
    std::vector<ReferenceModel> const references{{{usual, usual, usual}, std::vector<std::uint8_t>(101, 0)}};
    EXPECT_DOUBLE_EQ(relative_spread(scaled({0.2, 3, 100, 0.7}), references), 0.7);
}

TEST(Calibrate, ReferenceThatIsLeftOutHasNoSay) {
    std::vector<ReferenceModel> references{
        {views({1, 2, 3}, {1, 2, 3}, {1, 2, 3}), {0, 0, 0}},
        {views({1e9, -1e9, 0}, {0, 1e9, 7}, {3, 3, 1e9}), {0, 0, 0}},
    };
    Calibrated const found = calibrate(views({2, 4, 6}, {2, 4, 6}, {2, 4, 6}), references, 1);
    EXPECT_EQ(found.suspects.columns, (std::vector<Values>{{0, 0, 0}}));
}

TEST(Calibrate, IsNotLedByAFewPartnersFarOff) {
    Values expected, partners;
    Random random(1, "calibrate test");
    for (int i = 0; i < 200; ++i) {
        expected.push_back(random.normal());
        partners.push_back(3 - 0.5 * expected.back() + 0.1 * random.normal() + (i % 20 == 0 ? 50 : 0));
    }
    std::vector<ReferenceModel> const references{
        {views(expected, expected, expected), std::vector<std::uint8_t>(200, 0)}};
    Calibrated const found = calibrate(views(partners, partners, partners), references);
    Values near;
    for (std::size_t i = 0; i < 200; ++i)
        if (i % 20 != 0)
            near.push_back(found.reference.columns[0][i]);
    EXPECT_NEAR(mean(near), 0, 0.02);
    EXPECT_LT(sd(near), 0.12);
}

// --- In an audit -----------------------------------------------------------------------------------------

// Suspects of very different difficulty; the target is of another recipe than the references (its signals are
// stretched and moved); whoever was trained on a suspect likes it more by `gap`, and its partner by a
// hundredth of that
struct World {
    std::size_t n = 1000;
    double p = 0.5, gap = 5;
};

AuditInput audited(World const& world) {
    Random random(5, "calibrated audit");
    constexpr std::size_t kReferences = 4;
    AuditInput input;
    input.paired = true;
    input.suspects = input.reference = {{"loss", "hinge"}, std::vector<Values>(2)};
    input.upper_rungs.emplace();
    for (SignalTable& rung : *input.upper_rungs)
        rung = input.suspects;
    input.references.resize(kReferences);
    for (ReferenceModel& model : input.references)
        model.views = {input.suspects, input.suspects, input.suspects};
    for (std::size_t i = 0; i < world.n; ++i) {
        input.suspect_ids.push_back(i);
        bool const used = random.uniform() < world.p;
        bool const first = random.uniform() < 0.5, second = random.uniform() < 0.5;
        std::array<bool, kReferences> const seen{first, !first, second, !second};
        for (std::size_t r = 0; r < kReferences; ++r)
            input.references[r].member.push_back(seen[r]);
        for (std::size_t s = 0; s < 2; ++s) {
            std::array<double, 3> content{};
            content[0] = 10 * random.normal();
            content[1] = content[0] - 2 + random.normal();
            content[2] = content[1] - 2 + random.normal();
            auto const likes = [&](bool seen_it, std::size_t view) {
                return content[view] + random.normal() + (seen_it ? world.gap * std::pow(0.01, view) : 0);
            };
            auto const target = [&](std::size_t view) { return 7 + 0.8 * likes(used, view); };
            input.suspects.columns[s].push_back(target(0));
            input.reference.columns[s].push_back(target(1));
            for (SignalTable& rung : *input.upper_rungs)
                rung.columns[s].push_back(target(2));
            for (std::size_t r = 0; r < kReferences; ++r)
                for (std::size_t view = 0; view < 3; ++view)
                    input.references[r].views[view].columns[s].push_back(likes(seen[r], view));
        }
    }
    return input;
}

TEST(CalibratedAudit, EstimatesWhereScoresAloneShowNothing) {
    for (double p : {0.0, 0.5, 1.0}) {
        AuditInput input = audited({.n = 4000, .p = p});
        Audit const audit = audit_usage(input, {.bootstrap = 50});
        EXPECT_TRUE(audit.calibrated);
        EXPECT_LE(audit.lower_bound, p);
        ASSERT_EQ(audit.self_tests.size(), 4u);
        for (SelfTest const& test : audit.self_tests) {
            EXPECT_LT(test.none, 0.1);
            EXPECT_NEAR(test.shift, 0, 0.15);
            EXPECT_GT(test.all, kWeakestSelfTest);
        }
        if (p == 0) {
            EXPECT_EQ(audit.status, Status::no_evidence);
            continue;
        }
        EXPECT_EQ(audit.status, Status::estimated) << audit.reason;
        EXPECT_NEAR(audit.forced_fraction, p, 0.1);
        input.references.clear();
        EXPECT_LT(audit_usage(input, {.bootstrap = 50}).auc, audit.auc - 0.05 * p);
    }
}

TEST(CalibratedAudit, RefusesPartnersThatAreRememberedThemselves) {
    AuditInput input = audited({});
    for (ReferenceModel& model : input.references)
        for (std::size_t s = 0; s < 2; ++s)
            for (std::size_t i = 0; i < model.member.size(); ++i)
                model.views[1].columns[s][i] += model.member[i] ? 5 : 0;
    Audit const audit = audit_usage(input, {.bootstrap = 50});
    EXPECT_EQ(audit.status, Status::unidentified) << audit.reason;
    EXPECT_FALSE(audit.tested);
}

TEST(CalibratedAudit, RaisesTheReferenceByWhatTheControlShifts) {
    AuditInput input = audited({.p = 0});
    Audit const before = audit_usage(input, {.bootstrap = 50});
    for (SignalTable* table : {&input.reference, &input.suspects})
        for (Values& column : table->columns) // the same once more from partners' partners to partners
            for (double& value : column)
                value += table == &input.suspects ? 0.8 : 0.4;
    Audit const after = audit_usage(input, {.bootstrap = 50});
    ASSERT_TRUE(after.control);
    EXPECT_GT(after.control->score_shift, before.control->score_shift + 0.3);
    EXPECT_EQ(after.lower_bound, 0);
    EXPECT_GT(dkw_lower_bound(sorted(compared_scores(input).suspects.z),
                              sorted(compared_scores(input).reference.z), 0.05),
              0);
}

// Partners reach lower than suspects do, and theirs lower still, with the same means: no shift shows, but the
// audit's own rule finds use among partners, where there is none
TEST(CalibratedAudit, TakesOffWhatItsRuleFindsAmongPartners) {
    AuditInput input = audited({.n = 4000, .p = 0});
    auto const spread = [&](SignalTable& table, double by) {
        Random random(9, "spread");
        for (std::size_t i = 0; i < table.rows(); ++i) {
            double const low = random.uniform() < 0.25 ? -3 * by : by;
            for (Values& column : table.columns)
                column[i] += low;
        }
    };
    spread(input.reference, 1.5);
    for (SignalTable& rung : *input.upper_rungs)
        spread(rung, 4);
    Audit const audit = audit_usage(input, {.bootstrap = 50});
    ScorePair const scores = compared_scores(input);
    EXPECT_GT(dkw_lower_bound(sorted(scores.suspects.z), sorted(scores.reference.z), 0.05), 0);
    EXPECT_GT(audit.excess, 0);
    EXPECT_GT(audit.evidence.dkw_bound, 0); // raised as it is, the reference leaves a bound
    EXPECT_EQ(audit.status, Status::shift_suspect) << audit.reason;
    EXPECT_EQ(audit.lower_bound, 0);
    EXPECT_EQ(audit.p_value, 1);
    EXPECT_FALSE(audit.fraction);
}

// Where the scores alone would have claimed something
void expect_untested(Audit const& audit, Status status) {
    EXPECT_GT(audit.evidence.lower_bound, 0);
    EXPECT_LT(audit.evidence.p_value, 0.05);
    EXPECT_EQ(audit.status, status) << audit.reason;
    EXPECT_FALSE(audit.tested);
    EXPECT_EQ(audit.lower_bound, 0);
    EXPECT_EQ(audit.p_value, 1);
    EXPECT_FALSE(audit.fraction);
}

// A target that memorises less than reference models says nothing that they could calibrate, whatever the
// scores say
TEST(CalibratedAudit, TestsNothingWhereTheTargetAnswersPartnersMuchMoreAlike) {
    AuditInput input = audited({.p = 0.5});
    for (ReferenceModel& model : input.references)
        for (SignalTable& view : model.views)
            for (Values& column : view.columns)
                for (double& value : column)
                    value *= 4;
    Audit const audit = audit_usage(input, {.bootstrap = 50});
    EXPECT_NEAR(audit.regime_spread, 0.8 / 4, 0.02);
    expect_untested(audit, Status::shift_suspect);
}

// Self-tests that hardly find models that used all: references of a regime in which nothing can be seen
TEST(CalibratedAudit, TestsNothingWhereReferencesRememberTooLittle) {
    AuditInput input = audited({.p = 0.8});
    for (ReferenceModel& model : input.references)
        for (Values& column : model.views[0].columns)
            for (std::size_t i = 0; i < column.size(); ++i)
                column[i] -= model.member[i] ? 4 : 0;
    Audit const audit = audit_usage(input, {.bootstrap = 50});
    EXPECT_LT(mean_of(audit.self_tests).all, kWeakestSelfTest);
    expect_untested(audit, Status::unidentified);
}

TEST(CalibratedAudit, RefusesTablesThatDoNotFit) {
    auto const refusal = [](auto const& spoil) {
        AuditInput input = audited({.n = 300});
        spoil(input);
        try {
            audit_usage(input, {.bootstrap = 50});
        } catch (Error const& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    EXPECT_NE(refusal([](AuditInput& input) {
                  input.references[2].member.pop_back();
              }).find("299 membership flags (must be 300"),
              std::string::npos);
    EXPECT_NE(refusal([](AuditInput& input) {
                  for (ReferenceModel& model : input.references)
                      model.member[7] = 1;
              }).find("suspect 7 is in the training set of all reference models but 0"),
              std::string::npos);
    EXPECT_NE(refusal([](AuditInput& input) {
                  input.members = input.suspects;
                  input.member_ids = input.suspect_ids;
                  input.control = (*input.upper_rungs)[0];
                  input.upper_rungs.reset();
              }).find("known members beside reference models"),
              std::string::npos);
    EXPECT_NE(
        refusal([](AuditInput& input) { input.upper_rungs.reset(); }).find("Leave the reference models out"),
        std::string::npos);
    EXPECT_NE(refusal([](AuditInput& input) {
                  input.references[1].views[2].columns[1].pop_back();
              }).find("suspects on a reference model"),
              std::string::npos);
}

// The same world with partners that every model remembers, or to which reference models answer otherwise than
// to suspects, one half of them up, the other down
AuditInput with_partners(AuditInput input, std::string const& name, double remembered, double otherwise) {
    input.partners = name;
    for (std::size_t r = 0; r < input.references.size(); ++r)
        for (Values& column : input.references[r].views[1].columns)
            for (std::size_t i = 0; i < column.size(); ++i)
                column[i] +=
                    (input.references[r].member[i] ? remembered : 0) + (r < 2 ? otherwise : -otherwise);
    return input;
}

// What would be found in models that used nothing is no finding in another
TEST(CalibratedAudit, TestsNothingWhereSelfTestsFindUseThatWasNotThere) {
    Audit const audit =
        audit_usage(with_partners(audited({.n = 2000, .p = 0.8}), "shifted", 0, 3), {.bootstrap = 50});
    EXPECT_GT(mean_of(audit.self_tests).none, kLargestSelfTest);
    expect_untested(audit, Status::shift_suspect);
    std::vector<std::string> const said = statements(audit, false);
    EXPECT_TRUE(std::ranges::any_of(said, [](std::string const& statement) {
        return statement.ends_with("the figures beside them are no findings.");
    }));
}

TEST(ChoosePartners, TakesThoseWhoseSelfTestsComeNearest) {
    AuditInput const world = audited({.n = 2000});
    AuditInput const good = with_partners(world, "good", 0, 0),
                     remembered = with_partners(world, "remembered", 5, 0),
                     shifted = with_partners(world, "shifted", 0, 6);
    AuditInput const chosen = choose_partners({shifted, remembered, good});
    EXPECT_EQ(chosen.partners, "good");
    ASSERT_EQ(chosen.considered.size(), 3U);
    EXPECT_GT(chosen.considered[0].mean.none, kLargestSelfTest);
    EXPECT_LT(chosen.considered[1].mean.none, 0.05);
    EXPECT_LT(chosen.considered[1].mean.all, kWeakestSelfTest);
    // One that finds use where there is none is worse than one that finds too little
    EXPECT_EQ(choose_partners({shifted, remembered}).partners, "remembered");
    EXPECT_EQ(in_words(chosen.considered).find("shifted: none 0."), 0U);
    AuditInput const alone = choose_partners({shifted});
    EXPECT_EQ(alone.partners, "shifted");
    EXPECT_TRUE(alone.considered.empty());
    Audit const audit = audit_usage(chosen, {.bootstrap = 50});
    EXPECT_EQ(audit.partners, "good");
    EXPECT_EQ(audit.considered.size(), 3U);
}

TEST(ChoosePartners, PrefersSelfTestsThatTheAuditAcceptsToNearerOnes) {
    auto const considered = [](double none, double all) {
        return ConsideredPartners{"", {.none = none, .all = all, .shift = 0}};
    };
    auto const taken = [](std::vector<ConsideredPartners> const& among) { return nearest(among); };
    EXPECT_EQ(taken({considered(0.05, 0.95), considered(0.04, 0.97)}), 1U);
    EXPECT_EQ(taken({considered(0, 0.91), considered(0.05, 0.95)}), 1U);    // all is too small
    EXPECT_EQ(taken({considered(0.11, 1), considered(0.1, 0.93)}), 1U);     // none is too large
    EXPECT_EQ(taken({considered(0.11, 1), considered(0, 0.5)}), 1U);        // which is the worse fault
    EXPECT_EQ(taken({considered(0.05, 0.95), considered(0.05, 0.95)}), 0U); // the first of equals
}

TEST(ChoosePartners, TakesTheFirstWithoutReferenceModels) {
    AuditInput a = audited({.n = 300}), b = a;
    a.partners = "a";
    b.partners = "b";
    a.references.clear();
    b.references.clear();
    EXPECT_EQ(choose_partners({b, a}).partners, "b");
    a.references = audited({.n = 300}).references;
    EXPECT_EQ(choose_partners({b, a}).partners, "a");
}

// Rows in another order are the same audit
TEST(CalibratedAudit, DoesNotDependOnTheOrderOfRows) {
    AuditInput const input = audited({.n = 400});
    std::vector<std::size_t> order(400);
    std::iota(order.rbegin(), order.rend(), std::size_t{0});
    AuditInput turned = input;
    auto const turn = [&](SignalTable& table) { table = take_rows(table, order); };
    turn(turned.suspects);
    turn(turned.reference);
    for (SignalTable& rung : *turned.upper_rungs)
        turn(rung);
    std::ranges::reverse(turned.suspect_ids);
    for (ReferenceModel& model : turned.references) {
        for (SignalTable& view : model.views)
            turn(view);
        std::ranges::reverse(model.member);
    }
    Audit const a = audit_usage(input, {.bootstrap = 50}), b = audit_usage(turned, {.bootstrap = 50});
    EXPECT_EQ(a.forced_fraction, b.forced_fraction);
    EXPECT_EQ(a.forced_interval, b.forced_interval);
    EXPECT_EQ(a.p_value, b.p_value);
    EXPECT_EQ(a.evidence.dkw_p_value, b.evidence.dkw_p_value);
    EXPECT_EQ(a.regime_spread, b.regime_spread);
}

} // namespace
} // namespace assay::usage
