#include "assay/model/classifier_networks.hpp"

#include "assay/base/error.hpp"
#include "model/layers.hpp"

namespace assay::model {

namespace nn = torch::nn;
using Pair = std::pair<torch::Tensor, torch::Tensor>;

namespace {

class Mlp : public ClassifierNetwork {
  public:
    Mlp(std::int64_t inputs, std::int64_t width, std::int64_t classes)
        : first_(register_module("first", nn::Linear(inputs, width))),
          second_(register_module("second", nn::Linear(width, width))),
          head_(register_module("head", nn::Linear(width, classes))) {}

    Pair logits_and_features(torch::Tensor const& x) override {
        torch::Tensor const h = torch::relu(second_(torch::relu(first_(x.flatten(1)))));
        return {head_(h), h};
    }

  private:
    nn::Linear first_, second_, head_;
};

nn::Conv2d conv3x3(std::int64_t in, std::int64_t out, std::int64_t stride = 1, bool bias = false) {
    return nn::Conv2d(nn::Conv2dOptions(in, out, 3).stride(stride).padding(1).bias(bias));
}

class Cnn : public ClassifierNetwork {
  public:
    Cnn(std::int64_t channels, std::int64_t height, std::int64_t width_pixels, std::int64_t width,
        std::int64_t classes)
        : first_(register_module("first", conv3x3(channels, width, 1, true))),
          second_(register_module("second", conv3x3(width, 2 * width, 1, true))),
          hidden_(register_module("hidden",
                                  nn::Linear(2 * width * (height / 4) * (width_pixels / 4), 4 * width))),
          head_(register_module("head", nn::Linear(4 * width, classes))) {}

    Pair logits_and_features(torch::Tensor const& x) override {
        torch::Tensor h = torch::max_pool2d(torch::relu(first_(x)), 2);
        h = torch::max_pool2d(torch::relu(second_(h)), 2);
        h = torch::relu(hidden_(h.flatten(1)));
        return {head_(h), h};
    }

  private:
    nn::Conv2d first_, second_;
    nn::Linear hidden_, head_;
};

nn::AnyModule norm_layer(std::string const& kind, std::int64_t channels) {
    if (kind == "batch")
        return nn::AnyModule(nn::BatchNorm2d(channels));
    std::int64_t const groups = channels % 32 == 0 ? 32 : channels % 8 == 0 ? 8 : 1;
    return nn::AnyModule(nn::GroupNorm(groups, channels));
}

class BasicBlock : public nn::Module {
  public:
    BasicBlock(std::int64_t in, std::int64_t out, std::int64_t stride, std::string const& norm)
        : conv1_(register_module("conv1", conv3x3(in, out, stride))),
          conv2_(register_module("conv2", conv3x3(out, out))),
          norm1_(norm_layer(norm, out)),
          norm2_(norm_layer(norm, out)) {
        register_module("norm1", norm1_.ptr());
        register_module("norm2", norm2_.ptr());
        if (stride != 1 || in != out) {
            shortcut_ = register_module("shortcut",
                                        nn::Conv2d(nn::Conv2dOptions(in, out, 1).stride(stride).bias(false)));
            shortcut_norm_ = norm_layer(norm, out);
            register_module("shortcut_norm", shortcut_norm_.ptr());
        }
    }

    torch::Tensor forward(torch::Tensor const& x) {
        torch::Tensor const h = norm2_.forward(conv2_(torch::relu(norm1_.forward(conv1_(x)))));
        return torch::relu(h + (shortcut_ ? shortcut_norm_.forward(shortcut_(x)) : x));
    }

  private:
    nn::Conv2d conv1_, conv2_, shortcut_{nullptr};
    nn::AnyModule norm1_, norm2_, shortcut_norm_;
};

class ResNet18 : public ClassifierNetwork {
  public:
    ResNet18(std::int64_t channels, std::int64_t width, std::int64_t classes, std::string const& norm)
        : stem_(register_module("stem", conv3x3(channels, width))),
          norm_(norm_layer(norm, width)),
          head_(register_module("head", nn::Linear(8 * width, classes))) {
        register_module("norm", norm_.ptr());
        std::int64_t in = width;
        for (int stage = 0; stage < 4; ++stage)
            for (int block = 0; block < 2; ++block) {
                std::int64_t const out = width << stage;
                int const stride = stage > 0 && block == 0 ? 2 : 1;
                blocks_.push_back(register_module(fmt::format("block{}", blocks_.size()),
                                                  std::make_shared<BasicBlock>(in, out, stride, norm)));
                in = out;
            }
    }

    Pair logits_and_features(torch::Tensor const& x) override {
        torch::Tensor h = torch::relu(norm_.forward(stem_(x)));
        for (auto const& block : blocks_)
            h = block->forward(h);
        h = h.mean({2, 3});
        return {head_(h), h};
    }

  private:
    nn::Conv2d stem_;
    nn::AnyModule norm_;
    std::vector<std::shared_ptr<BasicBlock>> blocks_;
    nn::Linear head_;
};

} // namespace

SampleLoss ClassifierNetwork::loss(Batch const& batch, std::uint64_t /*draws*/) {
    torch::Tensor const scores = logits(batch.x);
    auto const options = nn::functional::CrossEntropyFuncOptions()
                             .reduction(torch::kNone)
                             .label_smoothing(is_training() ? label_smoothing : 0);
    return {nn::functional::cross_entropy(scores, batch.y, options),
            scores.argmax(1).eq(batch.y).to(torch::kFloat32)};
}

std::shared_ptr<ClassifierNetwork> make_classifier(job::Network const& train, data::DatasetInfo const& info,
                                                   std::int64_t classes, std::uint64_t seed) {
    auto const side = [&](std::size_t axis) { return static_cast<std::int64_t>(info.sample_shape.at(axis)); };
    auto const width = [&](std::int64_t own) { return train.width ? train.width : own; };
    bool const images = info.sample_shape.size() == 3;
    std::shared_ptr<ClassifierNetwork> network;
    if (train.network == "mlp") {
        network =
            std::make_shared<Mlp>(static_cast<std::int64_t>(info.sample_elements()), width(256), classes);
    } else if (!images || side(1) < 8 || side(2) < 8) {
        fail(Exit::usage,
             "{}.network=\"{}\" (needs images [C, H, W] of at least 8x8; samples are {}). Use "
             "\"mlp\"",
             train.section, train.network, fmt::join(info.sample_shape, "x"));
    } else if (train.network == "cnn") {
        network = std::make_shared<Cnn>(side(0), side(1), side(2), width(32), classes);
    } else {
        network = std::make_shared<ResNet18>(side(0), width(64), classes, train.norm);
    }
    network->label_smoothing = train.label_smoothing;
    initialise(*network, seed);
    return network;
}

} // namespace assay::model
