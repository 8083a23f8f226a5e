#include "usage/decide.hpp"

#include <gtest/gtest.h>

namespace assay::usage {
namespace {

// An audit with reference models that passes every check
Audit passing() {
    Audit audit;
    audit.confidence = 0.95;
    audit.calibrated = audit.paired = true;
    audit.n_suspects = audit.n_reference = 1000;
    audit.regime_spread = 1;
    audit.self_tests = {{.none = 0.02, .all = 0.97, .shift = 0}, {.none = 0.04, .all = 0.95, .shift = 0}};
    audit.evidence.p_value = 0.001;
    audit.evidence.lower_bound = 0.3;
    audit.auc = 0.7;
    audit.auc_se = 0.01;
    audit.implied_member_auc = 0.9;
    audit.forced_interval = {0.3, 0.6};
    for (std::size_t e = 0; e < kEstimators.size(); ++e)
        audit.estimates[e] = 0.45;
    return audit;
}

Verdict decided(auto const& change) {
    Audit audit = passing();
    change(audit);
    return decide(audit);
}

void expect(Verdict const& verdict, Status status, bool tested, std::string const& said) {
    EXPECT_EQ(verdict.status, status) << verdict.reason;
    EXPECT_EQ(verdict.tested, tested) << verdict.reason;
    EXPECT_NE(verdict.reason.find(said), std::string::npos) << verdict.reason;
}

TEST(Decide, EstimatesWhereAllChecksPass) {
    expect(decide(passing()), Status::estimated, true, "all checks passed");
}

TEST(Decide, TestsNothingWhereReferenceModelsCannotJudge) {
    expect(decided([](Audit& audit) { audit.regime_spread = kSmallestSpread - 0.001; }),
           Status::shift_suspect, false, "0.649 times as wide");
    expect(decided([](Audit& audit) { audit.self_tests[0].none = 0.17; }), Status::shift_suspect, false,
           "used none, the others say 0.105 on average");
    expect(decided([](Audit& audit) { audit.self_tests[0].all = 0.88; }), Status::unidentified, false,
           "used all, the others say 0.915 on average");
    // At the limits they can
    expect(decided([](Audit& audit) {
               audit.regime_spread = kSmallestSpread;
               audit.self_tests = {{.none = kLargestSelfTest, .all = kWeakestSelfTest, .shift = 0}};
           }),
           Status::estimated, true, "");
}

// "No evidence" would be a finding, and there is none
TEST(Decide, SaysThatNothingWasTestedBeforeItSaysThatNothingWasFound) {
    expect(decided([](Audit& audit) {
               audit.evidence.p_value = 0.5;
               audit.regime_spread = 0.3;
           }),
           Status::shift_suspect, false, "0.300 times as wide");
    expect(decided([](Audit& audit) { audit.evidence.p_value = 0.06; }), Status::no_evidence, true,
           "p-value 0.06 is not below 0.05");
}

// The first that applies
TEST(Decide, NamesTheSpreadBeforeSelfTestsAndNoneBeforeAll) {
    auto const poor = [](Audit& audit) { audit.self_tests = {{.none = 0.5, .all = 0.5, .shift = 0}}; };
    expect(decided(poor), Status::shift_suspect, false, "used none");
    expect(decided([&](Audit& audit) {
               poor(audit);
               audit.regime_spread = 0.1;
           }),
           Status::shift_suspect, false, "times as wide");
}

TEST(Decide, LeavesAuditsWithoutReferenceModelsToTheOtherChecks) {
    expect(decided([](Audit& audit) {
               audit.calibrated = audit.paired = false;
               audit.regime_spread = std::numeric_limits<double>::quiet_NaN();
               audit.self_tests.clear();
           }),
           Status::estimated, true, "");
}

TEST(Decide, TestsNothingWherePartnersShowAsMuchAmongThemselves) {
    expect(decided([](Audit& audit) {
               audit.excess = 0.3;
               audit.evidence.lower_bound = 0;
           }),
           Status::shift_suspect, false, "give a bound of 0.300");
}

TEST(Decide, KeepsTheBoundWhereAFractionCannotBeGiven) {
    expect(decided([](Audit& audit) { audit.n_reference = kFewItems - 1; }), Status::lower_bound_only, true,
           "fewer than 200");
    expect(decided([](Audit& audit) { audit.auc = 0.51; }), Status::lower_bound_only, true, "AUC 0.510");
    expect(decided([](Audit& audit) { audit.estimates[estimator("density_ratio")] = 0.7; }),
           Status::unidentified, true, "differ by 0.25");
    expect(decided([](Audit& audit) {
               audit.forced_interval = {0.3, 0.8};
           }),
           Status::unidentified, true, "0.50 wide");
    expect(decided([](Audit& audit) { audit.implied_member_auc = 0.8; }), Status::unidentified, true,
           "AUC 0.80");
    expect(decided([](Audit& audit) { audit.low_end_rise = 2; }), Status::unidentified, true,
           "2.0 standard errors");
}

} // namespace
} // namespace assay::usage
