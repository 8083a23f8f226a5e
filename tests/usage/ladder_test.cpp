#include "assay/usage/ladder.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"
#include "assay/usage/audit.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

using namespace assay;
using namespace assay::usage;

namespace {

// Signals whose step from rung to rung has the location and the spread that these sequences say; members'
// signals stand higher by `gap` at rung 0, and by a part of it above
struct Made {
    Rungs rungs;
    std::vector<bool> member;
};

Made ladder(std::size_t n, double p, double gap, double remains = 0.1) {
    Made made;
    for (std::size_t k = 0; k < kRungs; ++k)
        made.rungs[k] = {{"loss", "min_k_10", "hinge"}, std::vector<std::vector<double>>(3)};
    Random random(4, "ladder test");
    for (std::size_t i = 0; i < n; ++i) {
        made.member.push_back(static_cast<double>(i) < p * static_cast<double>(n));
        for (std::size_t s = 0; s < 3; ++s) {
            double value = 5 * random.normal(); // of the content, and of no interest
            std::vector<double> column(kRungs);
            for (std::size_t k = kRungs; k-- > 0;) {
                column[k] = value;
                // The lower, the larger the step and its spread: 0.3, 0.45, 0.6, 0.75
                double const step = 0.3 + 0.15 * static_cast<double>(kSteps - k);
                value += step + 0.5 * std::pow(1.3, static_cast<double>(kSteps - k)) * random.normal();
            }
            if (made.member.back())
                for (std::size_t k = 0; k < kRungs; ++k)
                    column[k] += gap * std::pow(remains, static_cast<double>(k));
            for (std::size_t k = 0; k < kRungs; ++k)
                made.rungs[k].columns[s].push_back(column[k]);
        }
    }
    return made;
}

AuditInput input_of(Rungs rungs) {
    AuditInput input;
    input.suspect_ids.resize(rungs[0].rows());
    std::iota(input.suspect_ids.begin(), input.suspect_ids.end(), std::uint64_t{0});
    input.suspects = std::move(rungs[0]);
    input.reference = std::move(rungs[1]);
    input.upper_rungs = {std::move(rungs[2]), std::move(rungs[3]), std::move(rungs[4])};
    input.paired = true;
    return input;
}

} // namespace

// d_3 has median 1 and half width 1, d_2 median 3 and half width 2: the next is expected at 5, twice as wide
TEST(StepsOf, ExtrapolatesTheStepsAbove) {
    Rungs rungs;
    std::vector<double> const spread{-1, -1, 0, 1, 1}; // quantiles at 16 %, 50 %, 84 %: -1, 0, 1
    std::vector<std::vector<double>> values(kRungs, std::vector<double>(5, 0));
    for (std::size_t i = 0; i < 5; ++i) {
        values[3][i] = values[4][i] + 0.5 + spread[i];   // d_4
        values[2][i] = values[3][i] + 1 + spread[4 - i]; // d_3
        values[1][i] = values[2][i] + 3 + 2 * spread[i]; // d_2
        values[0][i] = values[1][i] + 7 + spread[i];     // d_1
    }
    for (std::size_t k = 0; k < kRungs; ++k)
        rungs[k] = {{"loss"}, {values[k]}};
    Ladder const found = steps_of(rungs);
    for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_DOUBLE_EQ(found.suspects.columns[0][i], 7 + spread[i]);
        EXPECT_DOUBLE_EQ(found.reference.columns[0][i], 5 + 4 * spread[i]);
        EXPECT_DOUBLE_EQ(found.control_suspects.columns[0][i], 3 + 2 * spread[i]);
        EXPECT_DOUBLE_EQ(found.control.columns[0][i], 1.5 + spread[4 - i]);
    }
    EXPECT_EQ(found.reference.names, rungs[0].names);
}

TEST(StepsOf, LeavesASignalWithoutSpreadAsItIs) {
    Rungs rungs;
    for (std::size_t k = 0; k < kRungs; ++k)
        rungs[k] = {{"loss"}, {std::vector<double>{1, 2, 3}}};
    EXPECT_EQ(steps_of(rungs).reference.columns[0], std::vector<double>(3, 0));
}

TEST(LadderAudit, FindsTheShareOfMembers) {
    for (double p : {0.25, 0.5, 0.75}) {
        Audit const audit = audit_usage(input_of(ladder(2000, p, 4).rungs), {.bootstrap = 50});
        EXPECT_TRUE(audit.ladder);
        EXPECT_GT(audit.lower_bound, 0) << p;
        EXPECT_LE(audit.lower_bound, p);
        EXPECT_NEAR(audit.forced_fraction, p, 0.1) << to_string(audit.status) << audit.reason;
    }
}

TEST(LadderAudit, FindsNothingWhereNothingIs) {
    Audit const audit = audit_usage(input_of(ladder(2000, 0, 4).rungs), {.bootstrap = 50});
    EXPECT_EQ(audit.status, Status::no_evidence);
    EXPECT_EQ(audit.lower_bound, 0);
    EXPECT_FALSE(audit.control->fires);
}

// Steps that change otherwise at the bottom than further up would look like members
TEST(LadderAudit, ControlSeesStepsThatDoNotFollow) {
    Made made = ladder(2000, 0, 0);
    for (std::vector<double>& column : made.rungs[1].columns)
        for (double& value : column)
            value += 2; // the step from rung 2 to rung 1 is out of line
    Audit const audit = audit_usage(input_of(made.rungs), {.bootstrap = 50});
    EXPECT_TRUE(audit.control->fires);
    EXPECT_FALSE(audit.fraction.has_value());
}

TEST(LadderAudit, DoesNotDependOnTheOrderOfRows) {
    AuditInput input = input_of(ladder(400, 0.5, 4).rungs);
    Audit const before = audit_usage(input, {.bootstrap = 50});
    std::vector<std::size_t> order(400);
    std::iota(order.rbegin(), order.rend(), std::size_t{0});
    std::reverse(input.suspect_ids.begin(), input.suspect_ids.end());
    input.suspects = take_rows(input.suspects, order);
    input.reference = take_rows(input.reference, order);
    for (SignalTable& rung : *input.upper_rungs)
        rung = take_rows(rung, order);
    Audit const after = audit_usage(input, {.bootstrap = 50});
    EXPECT_EQ(after.lower_bound, before.lower_bound);
    EXPECT_EQ(after.forced_fraction, before.forced_fraction);
    EXPECT_EQ(after.bootstrap, before.bootstrap);
    EXPECT_EQ(after.control->score_shift, before.control->score_shift);
}

TEST(LadderAudit, RefusesWhatDoesNotGoWithIt) {
    AuditInput input = input_of(ladder(100, 0.5, 4).rungs);
    input.control = input.reference;
    EXPECT_THROW(audit_usage(input, {.bootstrap = 50}), Error);
    input = input_of(ladder(100, 0.5, 4).rungs);
    (*input.upper_rungs)[1].columns[0].pop_back();
    EXPECT_THROW(audit_usage(input, {.bootstrap = 50}), Error);
}
