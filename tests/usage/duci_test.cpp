#include "assay/usage/duci.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace assay::usage {
namespace {

using Values = std::vector<double>;

TEST(Rmia, AveragesOverModelsThatHaveAndHaveNotSeenASample) { // T8
    EXPECT_NEAR(rmia_average(0.5, 0.3), 0.675, 1e-12);
    EXPECT_NEAR(rmia_out(0.85, 0.3), 0.5, 1e-12);
    EXPECT_EQ(rmia_out(0.1, 0.3), 1e-6);
    EXPECT_NEAR(rmia_out(0.42, 1), 0.42, 1e-12);
}

// log p of the label under models that differ in what they have seen; hard samples are hard for all
struct World {
    std::size_t n = 1000, references = 4;
    double p = 0.5, gap = 2;
    double own = 0; // of the target alone: every sample is easier to it
};

DuciInput made(World const& world) {
    Random random(3, "duci test");
    DuciInput input;
    auto const empty = [] { return ModelView{{{"loss", "logit"}, {{}, {}}}, {{"loss", "logit"}, {{}, {}}}}; };
    input.target = empty();
    input.references.assign(world.references, empty());
    input.member.resize(world.references);
    auto const add = [&](SignalTable& table, double logit) {
        table.columns[0].push_back(-std::log1p(std::exp(-logit)));
        table.columns[1].push_back(logit);
    };
    for (std::size_t i = 0; i < world.n; ++i) {
        double const content = 2 * random.normal();
        auto const likes = [&](bool seen) {
            return content + 0.5 * random.normal() + (seen ? world.gap : 0);
        };
        add(input.target.suspects, world.own + likes(random.uniform() < world.p));
        bool first = false;
        for (std::size_t r = 0; r < world.references; ++r) {
            first = r % 2 ? !first : random.uniform() < 0.5;
            input.member[r].push_back(first);
            add(input.references[r].suspects, likes(first));
        }
        double const other = 2 * random.normal();
        add(input.target.held_out, world.own + other + 0.5 * random.normal());
        for (ModelView& reference : input.references)
            add(reference.held_out, other + 0.5 * random.normal());
    }
    return input;
}

TEST(Duci, CountsMembersOfATargetOfTheReferencesRecipe) {
    for (double p : {0.0, 0.3, 0.5, 1.0})
        for (std::size_t references : {4, 8}) {
            Duci const found = duci(made({.references = references, .p = p}));
            SCOPED_TRACE(fmt::format("p={} references={}", p, references));
            ASSERT_TRUE(found.rmia && found.lira && found.loss_regression);
            // Content differs as much between samples as membership does: scores alone would give 0.75
            EXPECT_GT(found.reference_auc, 0.9);
            EXPECT_NEAR(found.rmia->fraction, p, std::max(0.05, 4 * found.rmia->standard_error));
            EXPECT_NEAR(*found.loss_regression, p, 0.15);
            EXPECT_TRUE(found.mismatch.empty());
            EXPECT_NEAR(found.lira->fraction, p, std::max(0.05, 4 * found.lira->standard_error));
        }
}

TEST(Duci, OtherRecipeIsSeenOnHeldOutSamples) {
    Duci const found = duci(made({.p = 0, .own = 1.5}));
    ASSERT_EQ(found.mismatch.size(), 1u);
    EXPECT_TRUE(found.mismatch.front().starts_with("loss -")) << found.mismatch.front();
    EXPECT_GT(*found.loss_regression, 0.3); // confidently wrong
}

TEST(Duci, SaysNothingWhereMembersCannotBeTold) {
    Duci const found = duci(made({.gap = 0}));
    EXPECT_FALSE(found.rmia);
    EXPECT_NEAR(found.reference_auc, 0.5, 0.03);
}

TEST(Duci, RefusesWhatDoesNotFit) {
    DuciInput const good = made({.n = 50});
    auto const refusal = [&](auto const& spoil) {
        DuciInput input = good;
        spoil(input);
        try {
            duci(input);
        } catch (Error const& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    EXPECT_NE(refusal([](DuciInput& input) { input.references.resize(3); }).find("3 reference models"),
              std::string::npos);
    EXPECT_NE(refusal([](DuciInput& input) {
                  input.references[1].held_out.names[0] = "margin";
              }).find("other signals or samples"),
              std::string::npos);
    EXPECT_NE(
        refusal([](DuciInput& input) { input.member[0].pop_back(); }).find("49 membership flags (must be 50"),
        std::string::npos);
    EXPECT_NE(refusal([](DuciInput& input) {
                  for (ModelView* view : {&input.target, &input.references[0], &input.references[1],
                                          &input.references[2], &input.references[3]})
                      view->suspects.names[0] = view->held_out.names[0] = "hinge";
              }).find("no loss"),
              std::string::npos);
}

} // namespace
} // namespace assay::usage
