//! Built-in classifiers, for reproduction and the quick start.
#pragma once

#include "assay/data/dataset.hpp"
#include "assay/job/job.hpp"
#include "assay/model/classifier.hpp"
#include "assay/model/network.hpp"

namespace assay::model {

//! Trained by the cross-entropy of the label, smoothed where that is asked for (Szegedy et al. 2016).
class ClassifierNetwork : public Network, public Classifier {
  public:
    torch::Tensor logits(torch::Tensor const& x) override { return logits_and_features(x).first; }
    bool has_features() const override { return true; }
    SampleLoss loss(Batch const& batch, std::uint64_t draws) override;
    double label_smoothing = 0; //!< probability spread over all classes, in training mode
};

//! Local. "mlp" (two hidden layers), "cnn" (two convolutions, one hidden layer) or "resnet18" (CIFAR-style
//! stem, GroupNorm or BatchNorm; He et al. 2016), on samples [C, H, W], its parameters a function of `seed`
//! alone. Error(usage) for samples too small for the network.
std::shared_ptr<ClassifierNetwork> make_classifier(job::Network const& train, data::DatasetInfo const& info,
                                                   std::int64_t classes, std::uint64_t seed);

} // namespace assay::model
