//! What every built-in network is to its training, whatever its family: parameters and a loss.
#pragma once

#include "assay/model/batch.hpp"

#include "assay/model/torch.hpp"

namespace assay::model {

//! What training minimises, sample by sample.
struct SampleLoss {
    torch::Tensor loss; //!< [B], differentiable
    torch::Tensor
        accuracy; //!< [B] share of right predictions; undefined where the family predicts no classes
};

//! A built-in network. Its family's interface (Classifier, …) comes from a second base.
class Network : public torch::nn::Module {
  public:
    //! Local. The family's training loss of a batch, in the mode (training, evaluation) that the network is
    //! in. `draws` changes with the epoch: what is drawn for a sample comes from Random(draws, purpose, id),
    //! so that bits depend neither on ranks nor on the batch.
    virtual SampleLoss loss(Batch const& batch, std::uint64_t draws) = 0;
};

//! Local. Parameters as a function of `seed` alone: weights normal with variance 2/(inputs of a unit) (He et
//! al. 2015), biases 0, a norm's scale 1.
void initialise(Network& network, std::uint64_t seed);

} // namespace assay::model
