#include "model/weight_average.hpp"

#include <algorithm>

namespace assay::model {

WeightAverage::WeightAverage(Network const& network, double decay) : decay_(decay) {
    if (decay == 0)
        return;
    parameters_ = network.parameters();
    for (std::size_t i = 0; i < parameters_.size(); ++i)
        register_buffer(std::to_string(i), parameters_[i].detach().clone());
}

void WeightAverage::update(std::int64_t step) {
    torch::NoGradGuard const no_grad;
    double const n = static_cast<double>(step);
    double const decay = std::min(decay_, (1 + n) / (10 + n));
    std::vector<torch::Tensor> averages = buffers();
    for (std::size_t i = 0; i < averages.size(); ++i)
        averages[i].lerp_(parameters_[i], 1 - decay);
}

void WeightAverage::swap() {
    torch::NoGradGuard const no_grad;
    std::vector<torch::Tensor> averages = buffers();
    for (std::size_t i = 0; i < averages.size(); ++i) {
        torch::Tensor const parameter = parameters_[i].clone();
        parameters_[i].copy_(averages[i]);
        averages[i].copy_(parameter);
    }
}

} // namespace assay::model
