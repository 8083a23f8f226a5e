// Exponential moving average of a network's parameters
#pragma once

#include "assay/model/network.hpp"

#include <cstdint>

namespace assay::model {

// A module only so that it is saved and loaded as networks are; without parameters where decay is 0
class WeightAverage : public torch::nn::Module {
  public:
    // Local. Starts at the parameters as they are
    WeightAverage(Network const& network, double decay);
    // Local, after optimiser step number `step` (0, 1, ...): average <- d average + (1 - d) parameters with
    // d = min(decay, (1 + step) / (10 + step)), so that the untrained parameters are soon forgotten
    void update(std::int64_t step);
    // Local. Exchanges the average and the network's parameters
    void swap();

  private:
    double decay_;
    std::vector<torch::Tensor> parameters_;
};

} // namespace assay::model
