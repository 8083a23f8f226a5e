//! Users' models: TorchScript files behind the same interfaces as the built-in networks.
#pragma once

#include "assay/model/autoregressive.hpp"
#include "assay/model/classifier.hpp"
#include "assay/model/diffusion.hpp"
#include "assay/model/redrawer.hpp"

#include <functional>
#include <string>

namespace assay::model {

// A model file is code: load only what you trust. `origin` names the model in messages. Local; Error(data) if
// the bytes are no TorchScript or lack a method

//! `forward(x[B,C,H,W]) -> logits[B,K]`, optionally `features(x) -> [B,F]`.
std::unique_ptr<Classifier> load_classifier(std::string const& bytes, std::string const& origin,
                                            torch::Device device);

//! `tokenize(x) -> int64 [B,T]`, `forward(tokens, label int64 [B]) -> logits [B,T,V]`; both throw Error(data)
//! for an answer of another shape or type, or with tokens outside [0, V).
std::unique_ptr<Autoregressive> load_autoregressive(std::string const& bytes, std::string const& origin,
                                                    torch::Device device);

//! `forward(x_t, t int64 [B], label int64 [B]) -> eps` shaped like x_t, a buffer `alphas_cumprod [T]`, and
//! optionally `encode(x) -> [B,...]` (else samples are diffused as they come); throw Error(data) for an
//! answer of another shape or type.
std::unique_ptr<Diffusion> load_diffusion(std::string const& bytes, std::string const& origin,
                                          torch::Device device);

//! `forward(x [B,C,H,W], noise like x, label int64 [B]) -> images like x`: normal noise, the same for the
//! same sample; throws Error(data) for an answer of another shape or type, or outside [0, 1].
std::unique_ptr<Redrawer> load_redrawer(std::string const& bytes, std::string const& origin,
                                        torch::Device device);

//! What a model makes of samples: x [B, ...] float32 -> [B, F] float32 on the same device; what the script
//! returns is flattened. Throws Error(data) for an answer of another type, or of another number of rows.
using FeatureFunction = std::function<torch::Tensor(torch::Tensor const& x)>;

//! `method`: "features", "encode", or "auto": the first of them that the script has.
FeatureFunction load_features(std::string const& bytes, std::string const& origin, std::string const& method,
                              torch::Device device);

} // namespace assay::model
