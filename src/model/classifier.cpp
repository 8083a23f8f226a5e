#include "assay/model/classifier.hpp"

#include "assay/base/error.hpp"

namespace assay::model {

namespace {

std::string described(torch::Tensor const& tensor) {
    return fmt::format("{} [{}]", std::string(tensor.dtype().name()), fmt::join(tensor.sizes(), ", "));
}

void check_matrix(torch::Tensor const& tensor, std::int64_t rows, char const* what,
                  std::string const& origin) {
    if (tensor.dim() != 2 || tensor.size(0) != rows || tensor.scalar_type() != torch::kFloat32)
        fail(Exit::data,
             "{}: {} of a batch of {} are {} (must be float32 [{}, n]). See docs/models.md for the contract",
             origin, what, rows, described(tensor), rows);
    if (!torch::isfinite(tensor).all().item<bool>())
        fail(Exit::data,
             "{}: {} hold NaN or infinity on the first samples. Check the model and dataset.mean/deviation",
             origin, what);
}

} // namespace

void check_classifier(Classifier& classifier, torch::Tensor const& trial, std::int64_t classes,
                      std::string const& origin) {
    torch::NoGradGuard const no_grad;
    auto const [logits, features] = classifier.logits_and_features(trial);
    check_matrix(logits, trial.size(0), "logits", origin);
    if (logits.size(1) < classes)
        fail(Exit::data,
             "{}: {} logits per sample (the labels have {} classes). Use the model and data set that belong "
             "together",
             origin, logits.size(1), classes);
    if ((logits >= 0).all().item<bool>() && ((logits.sum(1) - 1).abs() < 1e-3).all().item<bool>())
        fail(Exit::data,
             "{}: each sample's outputs are positive and sum to 1 (probabilities; logits are needed). Export "
             "the "
             "model without its softmax",
             origin);
    if (classifier.has_features())
        check_matrix(features, trial.size(0), "features", origin);
}

} // namespace assay::model
