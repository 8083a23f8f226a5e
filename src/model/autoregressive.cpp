#include "assay/model/autoregressive.hpp"

#include "assay/base/error.hpp"

namespace assay::model {

namespace {

torch::Tensor finite_logits(Autoregressive& model, torch::Tensor const& tokens, torch::Tensor const& label,
                            std::string const& origin) {
    torch::Tensor const logits = model.logits(tokens, label);
    if (!torch::isfinite(logits).all().item<bool>())
        fail(Exit::data,
             "{}: logits under label {} hold NaN or infinity on the first samples. Check the model and "
             "dataset.mean/deviation",
             origin, label[0].item<std::int64_t>());
    return logits;
}

} // namespace

void check_autoregressive(Autoregressive& model, Batch const& trial, std::int64_t classes,
                          std::string const& origin) {
    torch::NoGradGuard const no_grad;
    torch::Tensor const tokens = model.tokenize(trial.x);
    torch::Tensor const logits = finite_logits(model, tokens, trial.y, origin);
    finite_logits(model, tokens, torch::full_like(trial.y, classes - 1), origin);
    if (torch::equal(finite_logits(model, tokens, torch::full_like(trial.y, kNullLabel), origin), logits))
        fail(Exit::data,
             "{}: logits under label {} (unconditional) equal those under the samples' labels (the signals "
             "live on their difference). Give the model a null class, see docs/models.md",
             origin, kNullLabel);
    torch::Tensor changed = tokens.clone();
    changed.select(1, -1).copy_(torch::where(tokens.select(1, -1) > 0, 0, 1));
    double const moved = (finite_logits(model, changed, trial.y, origin) - logits).abs().max().item<double>();
    if (moved > 1e-3 * (1 + logits.abs().max().item<double>())) // more than rounding
        fail(Exit::data,
             "{}: logits change with the last token, by up to {:.3g} (the logits of token t may depend on "
             "earlier tokens only). Shift the input by one token, see docs/models.md",
             origin, moved);
}

} // namespace assay::model
