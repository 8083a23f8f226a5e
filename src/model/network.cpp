#include "assay/model/network.hpp"

#include "assay/base/random.hpp"

#include <cmath>

namespace assay::model {

// He's scale keeps the variance of activations through rectified layers. Torch's own generator is not used,
// so that parameters depend on the seed alone
void initialise(Network& network, std::uint64_t seed) {
    torch::NoGradGuard const no_grad;
    std::uint64_t index = 0;
    for (auto& item : network.named_parameters()) {
        torch::Tensor& parameter = item.value();
        if (parameter.dim() < 2) {
            parameter.fill_(item.key().ends_with("weight") ? 1 : 0); // a norm's scale; biases
        } else {
            double const scale = std::sqrt(2.0 / static_cast<double>(parameter[0].numel()));
            Random random(seed, "initialise", index);
            float* const values = parameter.data_ptr<float>();
            for (std::int64_t i = 0; i < parameter.numel(); ++i)
                values[i] = static_cast<float>(scale * random.normal());
        }
        ++index;
    }
}

} // namespace assay::model
