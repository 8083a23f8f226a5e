#include "assay/usage/signal_info.hpp"

#include "data/fixtures.hpp"

#include <set>

using namespace assay;
using namespace assay::usage;
using data::test::error_of;
using data::test::expect_in;

namespace {

using Names = std::vector<std::string>;

Names chosen(Names const& names, bool images, bool features) {
    Names result;
    for (SignalInfo const& signal : choose_signals(names, {"classifier", images, features}))
        result.push_back(signal.name);
    return result;
}

std::string refusal(Names const& names, bool images, bool features) {
    return error_of(Exit::usage, [&] { choose_signals(names, {"classifier", images, features}); });
}

Names const kDefault{"loss",
                     "logit",
                     "margin",
                     "modified_entropy",
                     "last_layer_gradient",
                     "input_gradient",
                     "augmentation_mean",
                     "augmentation_std"};

} // namespace

TEST(SignalInfo, DescribesEverySignal) {
    std::set<std::string> names;
    for (auto const& [family, count] :
         {std::pair{"autoregressive", 25U}, {"diffusion", 45U}, {"classifier", 11U}}) {
        names.clear();
        for (SignalInfo const& signal : all_signals(family)) {
            EXPECT_TRUE(names.insert(signal.name).second) << signal.name;
            EXPECT_FALSE(signal.description.empty()) << signal.name;
            EXPECT_FALSE(signal.units.empty()) << signal.name;
            EXPECT_EQ(signal.name.find('/'), std::string::npos) << signal.name; // names become paths in files
        }
        EXPECT_EQ(names.size(), count);
    }
    std::set<std::string> expected(kDefault.begin(), kDefault.end());
    expected.insert({"calibrated_logit", "neighbour", "neighbour_scaled"});
    EXPECT_EQ(names, expected);
}

TEST(ChooseSignals, DefaultIsAllThatModelAndDataCanGive) {
    EXPECT_EQ(chosen({"default"}, true, true), kDefault);
    EXPECT_EQ(chosen({"default"}, false, true), (Names{"loss", "logit", "margin", "modified_entropy",
                                                       "last_layer_gradient", "input_gradient"}));
    EXPECT_EQ(chosen({"default"}, true, false),
              (Names{"loss", "logit", "margin", "modified_entropy", "input_gradient", "augmentation_mean",
                     "augmentation_std"}));
    EXPECT_EQ(chosen({"default"}, false, false),
              (Names{"loss", "logit", "margin", "modified_entropy", "input_gradient"}));
}

TEST(ChooseSignals, ForwardIsWhatOneForwardPassGives) {
    EXPECT_EQ(chosen({"forward"}, true, true),
              (Names{"loss", "logit", "margin", "modified_entropy", "last_layer_gradient"}));
    EXPECT_EQ(chosen({"forward"}, true, false), (Names{"loss", "logit", "margin", "modified_entropy"}));
}

TEST(ChooseSignals, GoesByFamily) {
    EXPECT_EQ(choose_signals(Names{"default"}, {"autoregressive"}).size(), 25U);
    EXPECT_EQ(choose_signals(Names{"guidance_slope", "loss"}, {"autoregressive"}).size(), 2U);
    expect_in(error_of(Exit::usage, [] { choose_signals(Names{"margin"}, {"autoregressive"}); }),
              {"\"margin\" (unknown)", "model.family=\"autoregressive\""});
    expect_in(refusal({"guidance_slope"}, true, true), {"\"guidance_slope\" (unknown)"});
}

TEST(ChooseSignals, TakesWhatIsCostlyForAllOrByName) {
    auto const count = [](Names const& names) { return choose_signals(names, {"diffusion"}).size(); };
    EXPECT_EQ(count({"all"}), 45U);
    EXPECT_EQ(count({"default"}), 9U);
    EXPECT_EQ(count({"forward"}), 9U);
    EXPECT_EQ(count({"default", "secmi", "noise_fit_norm"}), 11U);
    EXPECT_EQ(choose_signals(Names{"all"}, {"autoregressive"}).size(), 25U);
    EXPECT_EQ(unscored_signals(Names{"all"}, "diffusion").size(), 42U);
    EXPECT_EQ(unscored_signals(Names{"all", "secmi"}, "diffusion").size(), 41U);
}

TEST(UnscoredSignals, AreThoseNotAskedForOrOnlyRecorded) {
    EXPECT_EQ(unscored_signals(Names{"default"}, "classifier"), (Names{"neighbour", "neighbour_scaled"}));
    EXPECT_EQ(unscored_signals(Names{"all"}, "classifier"), (Names{"neighbour", "neighbour_scaled"}));
    EXPECT_EQ(
        unscored_signals(Names{"forward"}, "classifier"),
        (Names{"input_gradient", "augmentation_mean", "augmentation_std", "neighbour", "neighbour_scaled"}));
    Names const recorded = unscored_signals(Names{"default"}, "autoregressive");
    EXPECT_EQ(recorded.size(), 19U);
    EXPECT_EQ(recorded.front(), "label_gain");
    EXPECT_EQ(unscored_signals(Names{"default", "label_gain"}, "autoregressive").size(), 18U);
    EXPECT_EQ(unscored_signals(Names{"guidance_loss"}, "autoregressive").size(), 24U); // and nothing else
}

TEST(ChooseSignals, ByNameInTheOrderOfColumns) {
    EXPECT_EQ(chosen({"input_gradient", "loss", "loss"}, false, false), (Names{"loss", "input_gradient"}));
    EXPECT_EQ(chosen({"augmentation_std", "forward"}, true, false),
              (Names{"loss", "logit", "margin", "modified_entropy", "augmentation_std"}));
}

TEST(ChooseSignals, RefusesWhatIsUnknown) {
    expect_in(refusal({"loss", "Loss"}, true, true), {"usage.signals", "\"Loss\"", "unknown"});
    expect_in(refusal({""}, true, true), {"usage.signals", "\"\""});
}

TEST(ChooseSignals, CalibratesByAPublicModelWhereThereIsOne) {
    Offer offer{"classifier", true, true, true};
    Names names;
    for (SignalInfo const& signal : choose_signals(Names{"forward"}, offer))
        names.push_back(signal.name);
    EXPECT_EQ(names.back(), "calibrated_logit");
    EXPECT_EQ(choose_signals(Names{"all"}, offer).size(), 11U);
    expect_in(refusal({"calibrated_logit"}, true, true), {"\"calibrated_logit\"", "model.public_file"});
}

TEST(ChooseSignals, RefusesNamedSignalsThatCannotBeGiven) {
    expect_in(refusal({"last_layer_gradient"}, true, false), {"\"last_layer_gradient\"", "features(x)"});
    expect_in(refusal({"augmentation_mean"}, false, true), {"\"augmentation_mean\"", "images"});
    expect_in(refusal({"default", "augmentation_std"}, false, true), {"\"augmentation_std\"", "images"});
}
