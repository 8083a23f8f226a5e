#include "assay/model/torchscript.hpp"

#include "assay/base/error.hpp"
#include "assay/model/batch.hpp"

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

// A loaded module whose methods take and return tensors; every breach of that is an Error naming `origin`
class Script {
  public:
    Script(torch::jit::Module module, std::string origin)
        : module_(std::move(module)), origin_(std::move(origin)) {}

    std::string const& origin() const { return origin_; }
    bool has(char const* method) const { return module_.find_method(method).has_value(); }
    //! A buffer, or nothing where the module has no tensor of this name.
    torch::Tensor buffer(char const* name) const {
        c10::IValue const value = module_.attr(name, c10::IValue());
        return value.isTensor() ? value.toTensor() : torch::Tensor();
    }

    //! `names` are those of the inputs, for messages: "tokens, label".
    torch::Tensor call(char const* method, std::string const& names,
                       std::vector<torch::Tensor> const& inputs) {
        try {
            c10::IValue const result = module_.get_method(method)({inputs.begin(), inputs.end()});
            if (!result.isTensor())
                fail(Exit::data,
                     "{}: {}({}) returned a {} (must be one tensor). See docs/models.md for the contract",
                     origin_, method, names, result.tagKind());
            return result.toTensor();
        } catch (Error const&) {
            throw;
        } catch (std::exception const& error) {
            fail(Exit::data,
                 "{}: {}({}) failed on {} of shape [{}]{} ({}). See docs/models.md for the contract", origin_,
                 method, names, names.substr(0, names.find(',')), fmt::join(inputs.front().sizes(), ", "),
                 inputs.size() < 2 ? ""
                                   : fmt::format(" under label {}", inputs.back()[0].item<std::int64_t>()),
                 reason(error));
        }
    }

  private:
    torch::jit::Module module_;
    std::string origin_;
};

// `methods`: those that the family needs, as a reader of the contract knows them
Script load(std::string const& bytes, std::string const& origin, torch::Device device,
            std::string const& family, std::vector<std::string> const& methods) {
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
    for (std::string const& method : methods)
        if (!module.find_method(method.substr(0, method.find('('))))
            fail(Exit::data,
                 "{}: no method {} (a model of the family {} needs one). See docs/models.md for "
                 "the contract",
                 origin, method, family);
    module.eval();
    return {std::move(module), origin};
}

class ScriptClassifier : public Classifier {
  public:
    explicit ScriptClassifier(Script script) : script_(std::move(script)) {}

    torch::Tensor logits(torch::Tensor const& x) override { return script_.call("forward", "x", {x}); }
    bool has_features() const override { return script_.has("features"); }
    std::pair<torch::Tensor, torch::Tensor> logits_and_features(torch::Tensor const& x) override {
        return {logits(x), has_features() ? script_.call("features", "x", {x}) : torch::Tensor()};
    }

  private:
    Script script_;
};

std::string described(torch::Tensor const& tensor) {
    return fmt::format("{} [{}]", std::string(tensor.dtype().name()), fmt::join(tensor.sizes(), ", "));
}

// Checks every answer: tokens that do not fit the logits would be looked up out of bounds
class ScriptAutoregressive : public Autoregressive {
  public:
    explicit ScriptAutoregressive(Script script) : script_(std::move(script)) {}

    torch::Tensor tokenize(torch::Tensor const& x) override {
        torch::Tensor const tokens = script_.call("tokenize", "x", {x});
        if (tokens.dim() != 2 || tokens.size(0) != x.size(0) || tokens.size(1) < 1 ||
            tokens.scalar_type() != torch::kInt64)
            fail(Exit::data,
                 "{}: tokenize(x) of a batch of {} gave {} (must be int64 [{}, T]). See docs/models.md for "
                 "the contract",
                 script_.origin(), x.size(0), described(tokens), x.size(0));
        return tokens;
    }

    torch::Tensor logits(torch::Tensor const& tokens, torch::Tensor const& label) override {
        torch::Tensor const logits = script_.call("forward", "tokens, label", {tokens, label});
        if (logits.dim() != 3 || logits.size(0) != tokens.size(0) || logits.size(1) != tokens.size(1) ||
            logits.size(2) < 2 || logits.scalar_type() != torch::kFloat32)
            fail(Exit::data,
                 "{}: forward(tokens, label) gave {} (must be float32 [{}, V]). See docs/models.md for the "
                 "contract",
                 script_.origin(), described(logits), fmt::join(tokens.sizes(), ", "));
        auto const low = tokens.min().item<std::int64_t>(), high = tokens.max().item<std::int64_t>();
        if (low < 0 || high >= logits.size(2))
            fail(Exit::data,
                 "{}: tokenize(x) gave token {} (forward has logits for 0 to {}). See docs/models.md for the "
                 "contract",
                 script_.origin(), low < 0 ? low : high, logits.size(2) - 1);
        return logits;
    }

  private:
    Script script_;
};

class ScriptDiffusion : public Diffusion {
  public:
    explicit ScriptDiffusion(Script script)
        : script_(std::move(script)), alphas_cumprod_(script_.buffer("alphas_cumprod")) {
        if (!alphas_cumprod_.defined())
            fail(Exit::data,
                 "{}: no buffer alphas_cumprod (a model of the family diffusion needs one). See "
                 "docs/models.md for the contract",
                 script_.origin());
    }

    torch::Tensor encode(torch::Tensor const& x) override {
        if (!script_.has("encode"))
            return x;
        torch::Tensor const latent = script_.call("encode", "x", {x});
        if (latent.dim() < 2 || latent.size(0) != x.size(0) || latent.scalar_type() != torch::kFloat32)
            fail(Exit::data,
                 "{}: encode(x) of a batch of {} gave {} (must be float32 [{}, ...]). See docs/models.md for "
                 "the contract",
                 script_.origin(), x.size(0), described(latent), x.size(0));
        return latent;
    }

    torch::Tensor eps(torch::Tensor const& x_t, torch::Tensor const& t, torch::Tensor const& label) override {
        torch::Tensor const eps = script_.call("forward", "x_t, t, label", {x_t, t, label});
        if (eps.sizes() != x_t.sizes() || eps.scalar_type() != torch::kFloat32)
            fail(Exit::data,
                 "{}: forward(x_t, t, label) gave {} (must be the noise, float32 [{}]). See docs/models.md "
                 "for the contract",
                 script_.origin(), described(eps), fmt::join(x_t.sizes(), ", "));
        return eps;
    }

    torch::Tensor alphas_cumprod() override { return alphas_cumprod_; }

  private:
    Script script_;
    torch::Tensor alphas_cumprod_;
};

class ScriptRedrawer : public Redrawer {
  public:
    explicit ScriptRedrawer(Script script) : script_(std::move(script)) {}

    torch::Tensor redraw_images(torch::Tensor const& x, torch::Tensor const& label,
                                std::vector<std::uint64_t> const& ids, Redraw const& how) override {
        torch::NoGradGuard const no_grad;
        torch::Tensor const noise = keyed_normals(ids, x.sizes().slice(1), how.seed, how.purpose, x.device());
        torch::Tensor const images = script_.call("forward", "x, noise, label", {x, noise, label});
        if (images.sizes() != x.sizes() || images.scalar_type() != torch::kFloat32 ||
            images.device() != x.device())
            fail(Exit::data,
                 "{}: forward(x, noise, label) gave {} (must be images, float32 [{}]). See docs/models.md "
                 "for the "
                 "contract",
                 script_.origin(), described(images), fmt::join(x.sizes(), ", "));
        torch::Tensor const flat = images.flatten(1);
        torch::Tensor const wrong = ((flat >= 0) & (flat <= 1)).logical_not().nonzero();
        if (wrong.size(0) > 0) {
            auto const sample = wrong[0][0].item<std::int64_t>(), value = wrong[0][1].item<std::int64_t>();
            fail(Exit::data,
                 "{}: forward(x, noise, label) gave {} for sample {} (must be between 0 and 1). End it with "
                 ".clamp(0, 1), see docs/models.md for the contract",
                 script_.origin(), flat[sample][value].item<float>(), ids[static_cast<std::size_t>(sample)]);
        }
        return images;
    }

  private:
    Script script_;
};

} // namespace

std::unique_ptr<Classifier> load_classifier(std::string const& bytes, std::string const& origin,
                                            torch::Device device) {
    return std::make_unique<ScriptClassifier>(load(bytes, origin, device, "classifier", {"forward(x)"}));
}

std::unique_ptr<Autoregressive> load_autoregressive(std::string const& bytes, std::string const& origin,
                                                    torch::Device device) {
    return std::make_unique<ScriptAutoregressive>(
        load(bytes, origin, device, "autoregressive", {"tokenize(x)", "forward(tokens, label)"}));
}

std::unique_ptr<Diffusion> load_diffusion(std::string const& bytes, std::string const& origin,
                                          torch::Device device) {
    return std::make_unique<ScriptDiffusion>(
        load(bytes, origin, device, "diffusion", {"forward(x_t, t, label)"}));
}

std::unique_ptr<Redrawer> load_redrawer(std::string const& bytes, std::string const& origin,
                                        torch::Device device) {
    return std::make_unique<ScriptRedrawer>(
        load(bytes, origin, device, "generator", {"forward(x, noise, label)"}));
}

FeatureFunction load_features(std::string const& bytes, std::string const& origin, std::string const& method,
                              torch::Device device) {
    std::vector<std::string> needed;
    if (method != "auto")
        needed.push_back(method + "(x)");
    auto const script = std::make_shared<Script>(load(bytes, origin, device, "features", needed));
    std::string const name = method != "auto" ? method : script->has("features") ? "features" : "encode";
    if (!script->has(name.c_str()))
        fail(Exit::data,
             "{}: no method features(x) or encode(x) (features are wanted of the model). See docs/models.md "
             "for "
             "the contract",
             origin);
    return [script, name](torch::Tensor const& x) {
        torch::Tensor const features = script->call(name.c_str(), "x", {x});
        if (features.dim() < 2 || features.size(0) != x.size(0) || features.scalar_type() != torch::kFloat32)
            fail(Exit::data,
                 "{}: {}(x) of a batch of {} gave {} (must be float32 [{}, F]). See docs/models.md for the "
                 "contract",
                 script->origin(), name, x.size(0), described(features), x.size(0));
        return features.flatten(1);
    };
}

} // namespace assay::model
