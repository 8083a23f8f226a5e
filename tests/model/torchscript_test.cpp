#include "assay/model/torchscript.hpp"

#include "data/fixtures.hpp"

#include <torch/script.h>

#include <sstream>

using namespace assay;
using namespace assay::model;
using data::test::error_of;
using data::test::expect_in;

namespace {

constexpr char const* kOrigin = "models/target.pt";

// What torch.jit.save would write of a module with a weight `w` [4, 5] (1, 2, 3 ... 20, a row for each of 4
// pixels) and these methods
std::string saved(std::vector<std::string> const& methods, bool training = false) {
    torch::jit::Module module("m");
    module.register_attribute("training", c10::BoolType::get(), training); // as every module of Python has
    module.register_parameter("w", torch::arange(1, 21, torch::kFloat32).reshape({4, 5}), false);
    for (std::string const& method : methods)
        module.define(method);
    std::ostringstream bytes;
    module.save(bytes);
    return bytes.str();
}

std::unique_ptr<Classifier> loaded(std::vector<std::string> const& methods, bool training = false) {
    return load_classifier(saved(methods, training), kOrigin, torch::kCPU);
}

std::string const kForward = R"(
def forward(self, x):
    return x.flatten(1).matmul(self.w)
)";
std::string const kFeatures = R"(
def features(self, x):
    return 2 * x.flatten(1)
)";

std::string forward_returning(std::string const& expression) {
    return "def forward(self, x):\n    return " + expression + "\n";
}

torch::Tensor two_images() {
    return torch::tensor({1.F, 0.F, 0.F, 0.F, 0.F, 0.F, 2.F, 0.F}).reshape({2, 1, 2, 2});
}

// The message of check_classifier for a model of these methods on a batch of two, labels of 5 classes
std::string refusal(std::vector<std::string> const& methods, std::int64_t classes = 5) {
    auto const classifier = loaded(methods);
    return error_of(Exit::data, [&] { check_classifier(*classifier, two_images(), classes, kOrigin); });
}

} // namespace

TEST(TorchScript, RunsForward) {
    auto const classifier = loaded({kForward});
    torch::Tensor const expected = torch::tensor({{1.F, 2.F, 3.F, 4.F, 5.F}, {22.F, 24.F, 26.F, 28.F, 30.F}});
    EXPECT_TRUE(torch::equal(classifier->logits(two_images()), expected));
    check_classifier(*classifier, two_images(), 5, kOrigin);
    check_classifier(*classifier, two_images(), 3, kOrigin); // more logits than classes are fine
}

TEST(TorchScript, FeaturesAreOptional) {
    auto const plain = loaded({kForward}), full = loaded({kForward, kFeatures});
    EXPECT_FALSE(plain->has_features());
    EXPECT_FALSE(plain->logits_and_features(two_images()).second.defined());
    ASSERT_TRUE(full->has_features());
    auto const [logits, features] = full->logits_and_features(two_images());
    EXPECT_TRUE(torch::equal(logits, plain->logits(two_images())));
    EXPECT_TRUE(torch::equal(features, 2 * two_images().flatten(1)));
    check_classifier(*full, two_images(), 5, kOrigin);
}

TEST(TorchScript, IsDifferentiableByTheInput) {
    torch::Tensor const x = two_images().requires_grad_();
    torch::Tensor const logits = loaded({kForward})->logits(x);
    torch::Tensor const gradient = torch::autograd::grad({logits.select(1, 2).sum()}, {x}).front();
    EXPECT_TRUE(torch::equal(gradient[0].flatten(), torch::tensor({3.F, 8.F, 13.F, 18.F}))); // column 2 of w
}

TEST(TorchScript, EvaluatesWhatWasSavedInTrainingMode) {
    auto const classifier = loaded({R"(
def forward(self, x):
    y = x.flatten(1).matmul(self.w)
    if self.training:
        y = y * 0
    return y
)"},
                                   true);
    EXPECT_EQ(classifier->logits(two_images())[0][4].item<float>(), 5);
}

TEST(TorchScript, RefusesOtherBytes) {
    std::string const good = saved({kForward});
    std::string flipped = good;
    flipped.resize(good.size() / 2);
    for (std::string const& bytes :
         {std::string(), std::string("not a model"), std::string(1000, '\0'), flipped})
        expect_in(error_of(Exit::data, [&] { load_classifier(bytes, kOrigin, torch::kCPU); }),
                  {kOrigin, "not a TorchScript file"});
}

TEST(TorchScript, RefusesAnArchiveWithoutForward) {
    expect_in(error_of(Exit::data, [] { loaded({kFeatures}); }), {kOrigin, "forward"});
    torch::serialize::OutputArchive weights; // what torch::save writes: tensors, no code
    weights.write("w", torch::ones({2}));
    std::ostringstream bytes;
    weights.save_to(bytes);
    expect_in(error_of(Exit::data, [&] { load_classifier(bytes.str(), kOrigin, torch::kCPU); }), {kOrigin});
}

TEST(TorchScript, RefusesForwardThatFails) {
    expect_in(refusal({R"(
def forward(self, x):
    assert x.size(0) == 1, "one at a time"
    return x
)"}),
              {kOrigin, "forward(x) failed", "[2, 1, 2, 2]", "one at a time"});
    expect_in(refusal({forward_returning("x.reshape([3, 7])")}),
              {kOrigin, "forward(x) failed", "[2, 1, 2, 2]"});
    expect_in(refusal({"def forward(self, x, t):\n    return x + t\n"}),
              {kOrigin, "forward(x) failed", "'t'"});
    expect_in(refusal({kForward, "def features(self, x):\n    return x.reshape([3, 7])\n"}),
              {kOrigin, "features(x) failed"});
}

TEST(TorchScript, RefusesForwardThatReturnsNoTensor) {
    expect_in(refusal({forward_returning("(x, x)")}), {kOrigin, "forward(x)", "Tuple", "one tensor"});
    expect_in(refusal({forward_returning("[x, x]")}), {kOrigin, "forward(x)", "List"});
    expect_in(refusal({forward_returning("x.size(0)")}), {kOrigin, "forward(x)", "Int"});
}

TEST(CheckClassifier, RefusesLogitsOfAnotherShapeOrType) {
    expect_in(refusal({forward_returning("x")}), {kOrigin, "logits", "[2, 1, 2, 2]", "[2, n]"});
    expect_in(refusal({forward_returning("x.flatten()")}), {kOrigin, "logits", "[8]"});
    expect_in(refusal({forward_returning("x.reshape([4, 2])")}), {kOrigin, "batch of 2", "[4, 2]"});
    expect_in(refusal({forward_returning("x.flatten(1).double()")}), {kOrigin, "double [2, 4]", "float32"});
    expect_in(refusal({forward_returning("x.flatten(1).long()")}), {kOrigin, "[2, 4]", "float32"});
}

TEST(CheckClassifier, RefusesLogitsThatAreNotFinite) {
    for (char const* bad : {"float('nan')", "float('inf')", "float('-inf')"})
        expect_in(refusal({forward_returning(std::string("torch.full([x.size(0), 5], ") + bad + ")")}),
                  {kOrigin, "logits", "NaN or infinity"});
}

TEST(CheckClassifier, RefusesFewerLogitsThanClasses) {
    expect_in(refusal({kForward}, 6), {kOrigin, "5 logits", "6 classes"});
}

TEST(CheckClassifier, RefusesProbabilities) {
    char const* const softmax = "torch.softmax(x.flatten(1).matmul(self.w), 1)";
    expect_in(refusal({forward_returning(softmax)}), {kOrigin, "sum to 1", "softmax"});
    for (char const* change : {".log()", " * 2"}) // as good as logits; no probabilities
        check_classifier(*loaded({forward_returning(std::string(softmax) + change)}), two_images(), 5,
                         kOrigin);
}

TEST(CheckClassifier, RefusesUnusableFeatures) {
    auto const with = [](std::string const& expression) {
        return refusal({kForward, "def features(self, x):\n    return " + expression + "\n"});
    };
    expect_in(with("x"), {kOrigin, "features", "[2, 1, 2, 2]"});
    expect_in(with("x.flatten(1).double()"), {kOrigin, "features", "float32"});
    expect_in(with("x.flatten(1) / 0"), {kOrigin, "features", "NaN or infinity"});
}

namespace {

// The message with which a generator of this forward() is refused, on images 4 and 9
std::string redraw_refusal(std::string const& expression) {
    auto const redrawer =
        load_redrawer(saved({"def forward(self, x, noise, label):\n    return " + expression + "\n"}),
                      kOrigin, torch::kCPU);
    return error_of(Exit::data, [&] {
        redrawer->redraw_images(two_images() / 2, torch::tensor({0, 1}), {4, 9},
                                {.seed = 1, .purpose = "test"});
    });
}

} // namespace

TEST(ScriptRedrawer, GetsNoiseThatBelongsToTheSample) {
    auto const redrawer = load_redrawer(saved({"def forward(self, x, noise, label):\n    return "
                                               "torch.sigmoid(x + noise + label.view(-1, 1, 1, 1))\n"}),
                                        kOrigin, torch::kCPU);
    torch::Tensor const x = two_images() / 2, label = torch::tensor({0, 1});
    auto const redrawn = [&](std::vector<std::uint64_t> const& ids, std::uint64_t seed, char const* purpose) {
        std::int64_t const first = ids.size() == 2 ? 0 : 1;
        return redrawer->redraw_images(x.slice(0, first), label.slice(0, first), ids,
                                       {.seed = seed, .purpose = purpose});
    };
    torch::Tensor const both = redrawn({4, 9}, 1, "test");
    EXPECT_TRUE(torch::equal(redrawn({9}, 1, "test")[0], both[1]));
    EXPECT_FALSE(torch::equal(redrawn({9}, 2, "test")[0], both[1]));
    EXPECT_FALSE(torch::equal(redrawn({9}, 1, "other")[0], both[1]));
    EXPECT_FALSE(torch::equal(redrawn({8}, 1, "test")[0], both[1]));
}

TEST(ScriptRedrawer, RefusesAnswersThatAreNoImages) {
    expect_in(redraw_refusal("x.flatten(1)"), {kOrigin, "[2, 4]", "[2, 1, 2, 2]"});
    expect_in(redraw_refusal("x.double()"), {kOrigin, "double", "float32"});
    expect_in(redraw_refusal("x * 2 * label.view(-1, 1, 1, 1) + x"),
              {kOrigin, "gave 3 for sample 9", "between 0 and 1"});
    expect_in(redraw_refusal("x / 0"), {kOrigin, "inf for sample 4"});
    expect_in(error_of(Exit::data, [] { load_redrawer(saved({}), kOrigin, torch::kCPU); }),
              {kOrigin, "no method forward(x, noise, label)", "generator"});
}
