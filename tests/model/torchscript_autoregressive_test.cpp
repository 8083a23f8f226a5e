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

// Pixels above one half are token 1; a token's logits are those of the number of ones before it, and its
// label
std::string const kTokenize = R"(
def tokenize(self, x):
    return (x.flatten(1) > 0.5).long()
)";
std::string const kForward = R"(
def forward(self, tokens, label):
    before = torch.cumsum(tokens, 1) - tokens
    return (before + label.unsqueeze(1)).unsqueeze(2).float() * self.w
)";

std::string with_forward(std::string const& expression) {
    return "def forward(self, tokens, label):\n    return " + expression + "\n";
}
std::string with_tokenize(std::string const& expression) {
    return "def tokenize(self, x):\n    return " + expression + "\n";
}

std::unique_ptr<Autoregressive> loaded(std::vector<std::string> const& methods) {
    torch::jit::Module module("m");
    module.register_attribute("training", c10::BoolType::get(), false);
    module.register_parameter("w", torch::tensor({1.F, 2.F, 4.F}), false);
    for (std::string const& method : methods)
        module.define(method);
    std::ostringstream bytes;
    module.save(bytes);
    return load_autoregressive(bytes.str(), kOrigin, torch::kCPU);
}

Batch trial() {
    return {{0, 1},
            torch::tensor({1.F, 0.F, 0.F, 1.F, 0.F, 1.F, 1.F, 0.F}).reshape({2, 1, 2, 2}),
            torch::tensor({0, 2}, torch::kInt64)};
}

// The message of check_autoregressive for a model of these methods, labels of 3 classes
std::string refusal(std::vector<std::string> const& methods) {
    return error_of(Exit::data, [&] {
        auto const model = loaded(methods);
        check_autoregressive(*model, trial(), 3, kOrigin);
    });
}

} // namespace

TEST(TorchScriptAutoregressive, RunsBothMethods) {
    auto const model = loaded({kTokenize, kForward});
    torch::Tensor const tokens = model->tokenize(trial().x);
    EXPECT_TRUE(torch::equal(tokens, torch::tensor({{1, 0, 0, 1}, {0, 1, 1, 0}}, torch::kInt64)));
    torch::Tensor const logits = model->logits(tokens, trial().y);
    EXPECT_TRUE(torch::equal(logits[0][3], torch::tensor({1.F, 2.F, 4.F})));
    EXPECT_TRUE(torch::equal(logits[1][3], torch::tensor({4.F, 8.F, 16.F})));
    check_autoregressive(*model, trial(), 3, kOrigin);
}

TEST(TorchScriptAutoregressive, RefusesModelsWithoutItsMethods) {
    expect_in(refusal({kForward}), {kOrigin, "no method tokenize(x)", "autoregressive", "docs/models.md"});
    expect_in(refusal({kTokenize}), {kOrigin, "no method forward(tokens, label)"});
}

TEST(TorchScriptAutoregressive, RefusesTokensOfAnotherShapeOrType) {
    expect_in(refusal({with_tokenize("x.flatten(1)"), kForward}),
              {kOrigin, "tokenize(x)", "float [2, 4]", "int64 [2, T]"});
    expect_in(refusal({with_tokenize("x.long()"), kForward}), {"int64", "[2, 1, 2, 2]"});
    expect_in(refusal({with_tokenize("x.flatten().unsqueeze(0).long()"), kForward}), {"[1, 8]"});
    expect_in(refusal({with_tokenize("x.flatten(1).long(), x"), kForward}), {"tokenize(x) returned a Tuple"});
}

TEST(TorchScriptAutoregressive, RefusesTokensWithoutALogit) {
    expect_in(refusal({with_tokenize("3 * (x.flatten(1) > 0.5).long()"), kForward}),
              {kOrigin, "token 3", "0 to 2"});
    expect_in(refusal({with_tokenize("(x.flatten(1) > 0.5).long() - 1"), kForward}), {"token -1"});
}

TEST(TorchScriptAutoregressive, RefusesLogitsOfAnotherShapeOrType) {
    expect_in(refusal({kTokenize, with_forward("tokens.float()")}),
              {kOrigin, "forward(tokens, label)", "[2, 4]", "float32 [2, 4, V]"});
    expect_in(refusal({kTokenize, with_forward("tokens.unsqueeze(2).double() * self.w.double()")}),
              {"double [2, 4, 3]"});
    expect_in(refusal({kTokenize, with_forward("tokens.unsqueeze(2).float()")}), {"[2, 4, 1]"});
    expect_in(refusal({kTokenize, with_forward("tokens.matmul(tokens)")}),
              {"forward(tokens, label) failed on tokens of shape [2, 4] under label 0"});
}

TEST(TorchScriptAutoregressive, RefusesLogitsThatAreNotFinite) {
    expect_in(refusal({kTokenize, with_forward("tokens.unsqueeze(2).float() * self.w / 0.0")}),
              {kOrigin, "NaN or infinity"});
}

TEST(TorchScriptAutoregressive, RefusesModelsWithoutANullLabel) {
    expect_in(refusal({kTokenize,
                       with_forward("(torch.cumsum(tokens, 1) - tokens).unsqueeze(2).float() * self.w")}),
              {kOrigin, "label -1", "null class"});
    expect_in(
        refusal({kTokenize, with_forward("torch.one_hot(label, 3).unsqueeze(1).repeat(1, 4, 1).float()")}),
        {"failed on tokens of shape [2, 4] under label -1", "non-negative"});
}

TEST(TorchScriptAutoregressive, RefusesLabelsThatTheModelDoesNotKnow) {
    Batch const known{{0, 1}, trial().x, torch::zeros({2}, torch::kInt64)};
    auto const model =
        loaded({kTokenize, with_forward("torch.one_hot(label + 1, 3).unsqueeze(1).repeat(1, 4, 1).float()")});
    check_autoregressive(*model, known, 2, kOrigin);
    expect_in(error_of(Exit::data, [&] { check_autoregressive(*model, known, 3, kOrigin); }),
              {"under label 2"});
}

TEST(TorchScriptAutoregressive, RefusesModelsThatLookAhead) {
    expect_in(refusal({kTokenize,
                       with_forward(
                           "(torch.cumsum(tokens, 1) + label.unsqueeze(1)).unsqueeze(2).float() * self.w")}),
              {kOrigin, "last token", "Shift the input"});
}
