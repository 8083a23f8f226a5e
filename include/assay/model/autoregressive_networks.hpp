//! Built-in autoregressive models of images, for reproduction.
#pragma once

#include "assay/data/dataset.hpp"
#include "assay/job/job.hpp"
#include "assay/model/autoregressive.hpp"
#include "assay/model/network.hpp"

namespace assay::model {

//! Images [C, H, W] with values in [0, 1] as T = C (H/pool) (W/pool) tokens: means of pool x pool pixels, cut
//! into `levels` grey levels of equal width; row by row, the channels of a pixel side by side.
struct PixelTokens {
    std::int64_t channels = 1, height = 0, width = 0; //!< of the images
    std::int64_t pool = 1, levels = 2;

    std::int64_t count() const { return channels * (height / pool) * (width / pool); }
};

//! Trained by the cross-entropy of the tokens (mean over a sample's tokens, nat). In training a tenth of the
//! labels is replaced by the null label, so that both are learned (Ho and Salimans 2022).
class AutoregressiveNetwork : public Network, public Autoregressive {
  public:
    explicit AutoregressiveNetwork(PixelTokens const& pixels) : pixels_(pixels) {}
    //! Error(data) for values outside [0, 1].
    torch::Tensor tokenize(torch::Tensor const& x) override;
    SampleLoss loss(Batch const& batch, std::uint64_t draws) override;

  private:
    PixelTokens pixels_;
};

//! Local. "made" (masked MLP of two hidden layers; Germain et al. 2015) or "transformer" (decoder of 4
//! pre-norm blocks with 4 heads; Radford et al. 2019), both conditioned on one of `classes` labels, their
//! parameters a function of `seed` alone. Error(usage) for samples that the tokenizer cannot cut.
std::shared_ptr<AutoregressiveNetwork> make_autoregressive(job::Network const& train,
                                                           data::DatasetInfo const& info,
                                                           std::int64_t classes, std::uint64_t seed);

} // namespace assay::model
