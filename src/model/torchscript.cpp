#include "assay/model/torchscript.hpp"

#include "assay/base/error.hpp"

#include <torch/script.h>

#include <sstream>

namespace assay::model {

namespace {

// What torch says without its C++ stack: the last line of a script's trace is the reason, as in Python
std::string reason(std::exception const& error) {
    auto const* const ours = dynamic_cast<c10::Error const*>(&error);
    std::istringstream lines(ours ? ours->what_without_backtrace() : error.what());
    std::string last = "no reason given";
    for (std::string line; std::getline(lines, line);)
        if (line.find_first_not_of(" ~<-") != std::string::npos && !line.starts_with("frame #"))
            last = line;
    return last.substr(last.find_first_not_of(' '));
}

class ScriptClassifier : public Classifier {
  public:
    ScriptClassifier(torch::jit::Module module, std::string origin)
        : module_(std::move(module)), origin_(std::move(origin)) {}

    torch::Tensor logits(torch::Tensor const& x) override { return call("forward", x); }
    bool has_features() const override { return module_.find_method("features").has_value(); }
    std::pair<torch::Tensor, torch::Tensor> logits_and_features(torch::Tensor const& x) override {
        return {logits(x), has_features() ? call("features", x) : torch::Tensor()};
    }

  private:
    torch::Tensor call(char const* method, torch::Tensor const& x) {
        try {
            c10::IValue const result = module_.get_method(method)({x});
            if (!result.isTensor())
                fail(Exit::data,
                     "{}: {}(x) returned a {} (must be one tensor). See docs/models.md for the contract",
                     origin_, method, result.tagKind());
            return result.toTensor();
        } catch (Error const&) {
            throw;
        } catch (std::exception const& error) {
            fail(Exit::data, "{}: {}(x) failed on x of shape [{}] ({}). See docs/models.md for the contract",
                 origin_, method, fmt::join(x.sizes(), ", "), reason(error));
        }
    }

    torch::jit::Module module_;
    std::string origin_;
};

} // namespace

std::unique_ptr<Classifier> load_classifier(std::string const& bytes, std::string const& origin,
                                            torch::Device device) {
    // The profiling executor rewrites the graph after its first runs, and with it the bits
    torch::jit::setGraphExecutorOptimize(false);
    std::istringstream stream(bytes);
    torch::jit::Module module;
    try {
        module = torch::jit::load(stream, device);
    } catch (c10::Error const& error) {
        fail(Exit::data, "{}: not a TorchScript file ({}). Export it with torch.jit.save, see docs/models.md",
             origin, reason(error));
    }
    if (!module.find_method("forward"))
        fail(Exit::data,
             "{}: no method forward(x) (a classifier needs one). See docs/models.md for the contract",
             origin);
    module.eval();
    return std::make_unique<ScriptClassifier>(std::move(module), origin);
}

} // namespace assay::model
