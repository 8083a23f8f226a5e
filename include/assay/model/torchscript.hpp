//! Users' models: TorchScript files behind the same interfaces as the built-in networks.
#pragma once

#include "assay/model/classifier.hpp"

#include <string>

namespace assay::model {

//! Local. A classifier from the bytes of a `torch.jit.save` file: `forward(x[B,C,H,W]) -> logits[B,K]`,
//! optionally `features(x) -> [B,F]`. A model file is code: load only what you trust. `origin` names it in
//! messages. Error(data) if the bytes are no TorchScript or lack a method.
std::unique_ptr<Classifier> load_classifier(std::string const& bytes, std::string const& origin,
                                            torch::Device device);

} // namespace assay::model
