//! Built-in networks, for reproduction and the quick start.
#pragma once

#include "assay/data/dataset.hpp"
#include "assay/job/job.hpp"
#include "assay/model/classifier.hpp"

#include <torch/torch.h>

namespace assay::model {

//! A built-in classifier: a torch module (parameters, training mode) that is also a Classifier.
class Network : public torch::nn::Module, public Classifier {
  public:
    torch::Tensor logits(torch::Tensor const& x) override { return logits_and_features(x).first; }
    bool has_features() const override { return true; }
};

//! Local. "mlp" (two hidden layers), "cnn" (two convolutions, one hidden layer) or "resnet18" (CIFAR-style
//! stem, GroupNorm or BatchNorm; He et al. 2016), on samples [C, H, W], its parameters a function of `seed`
//! alone (He initialisation, biases 0). Error(usage) for samples too small for the network.
std::shared_ptr<Network> make_network(job::Train const& train, data::DatasetInfo const& info,
                                      std::int64_t classes, std::uint64_t seed);

} // namespace assay::model
