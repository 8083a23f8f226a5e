#include "assay/usage/autoregressive_signals.hpp"

#include "assay/base/error.hpp"

#include <zlib.h>

#include <algorithm>
#include <cmath>

namespace assay::usage {

namespace {

// What signals are made of, per token: [B, T] float64 each
struct TokenScores {
    torch::Tensor log_p;      // log probability of the token
    torch::Tensor normalised; // in units of the prediction's own spread: (log_p - mean)/deviation
    torch::Tensor hinge;      // its logit minus the largest other
};

TokenScores score_tokens(torch::Tensor const& logits, torch::Tensor const& tokens) {
    torch::Tensor const index = tokens.unsqueeze(2);
    torch::Tensor const log_p = logits.log_softmax(2), p = log_p.exp();
    torch::Tensor const own = log_p.gather(2, index).squeeze(2);
    torch::Tensor const mean = (p * log_p).sum(2);
    torch::Tensor const variance = ((p * log_p.square()).sum(2) - mean.square()).clamp_min(0);
    torch::Tensor const largest_other = logits.scatter(2, index, -INFINITY).amax(2);
    return {own, (own - mean) / (variance + 1e-6).sqrt(), // a certain prediction has no spread
            logits.gather(2, index).squeeze(2) - largest_other};
}

// Mean of the smallest `percent` of each row, at least of one
torch::Tensor mean_of_lowest(torch::Tensor const& values, std::int64_t percent) {
    std::int64_t const count = std::max<std::int64_t>(1, values.size(1) * percent / 100);
    return std::get<0>(values.sort(1)).slice(1, 0, count).mean(1);
}

torch::Tensor share_below(torch::Tensor const& values, torch::Tensor const& threshold) {
    return values.lt(threshold).to(torch::kFloat64).mean(1);
}

// Entry t: mean of the entries up to and with t
torch::Tensor running_mean(torch::Tensor const& values) {
    return values.cumsum(1) / torch::arange(1, values.size(1) + 1, values.options());
}

// Least-squares slope over the token's number
torch::Tensor slope(torch::Tensor const& values) {
    torch::Tensor const t = torch::arange(values.size(1), values.options());
    torch::Tensor const centred = t - t.mean();
    return (values * centred).sum(1) / centred.square().sum().clamp_min(1); // one token has no slope
}

// Bytes of each row's tokens, compressed: as Python's len(zlib.compress(str(list).encode()))
torch::Tensor compressed_sizes(torch::Tensor const& tokens) {
    torch::Tensor const host = tokens.to(torch::kCPU).contiguous();
    torch::Tensor sizes = torch::empty({host.size(0)}, torch::kFloat64);
    std::vector<Bytef> compressed;
    for (std::int64_t i = 0; i < host.size(0); ++i) {
        auto const* const row = host.data_ptr<std::int64_t>() + i * host.size(1);
        std::string const text = fmt::format("[{}]", fmt::join(row, row + host.size(1), ", "));
        compressed.resize(compressBound(text.size()));
        uLongf size = compressed.size();
        if (compress(compressed.data(), &size, reinterpret_cast<Bytef const*>(text.data()), text.size()) !=
            Z_OK)
            fail(Exit::internal, "zlib could not compress {} tokens (out of memory?). Free memory",
                 host.size(1));
        sizes[i] = static_cast<double>(size);
    }
    return sizes.to(tokens.device());
}

torch::Tensor compute(std::string_view name, TokenScores const& scores, torch::Tensor const& tokens) {
    auto const percent = [&](std::string_view prefix) {
        return std::stoll(std::string(name.substr(prefix.size())));
    };
    if (name == "loss")
        return scores.log_p.mean(1);
    if (name == "zlib")
        return scores.log_p.mean(1) / compressed_sizes(tokens);
    if (name == "hinge")
        return scores.hinge.mean(1);
    if (name.starts_with("min_k_plus_"))
        return mean_of_lowest(scores.normalised, percent("min_k_plus_"));
    if (name.starts_with("min_k_"))
        return mean_of_lowest(scores.log_p, percent("min_k_"));
    if (name == "below_mean")
        return -share_below(scores.log_p, scores.log_p.mean(1, true));
    if (name == "below_mean_normalised")
        return -share_below(scores.normalised, scores.normalised.mean(1, true));
    if (name == "below_running_mean")
        return share_below(scores.log_p, running_mean(scores.log_p));
    if (name == "below_running_mean_normalised")
        return share_below(scores.normalised, running_mean(scores.normalised));
    if (name == "slope")
        return -slope(scores.log_p);
    fail(Exit::internal, "signal \"{}\" (has no formula). Report it", name);
}

} // namespace

torch::Tensor autoregressive_signals(model::Autoregressive& model, model::Batch const& batch,
                                     std::span<SignalInfo const> signals) {
    constexpr std::string_view kGuidance = "guidance_";
    torch::NoGradGuard const no_grad;
    torch::Tensor const tokens = model.tokenize(batch.x);
    torch::Tensor const under_label = model.logits(tokens, batch.y).to(torch::kFloat64);
    torch::Tensor const under_null =
        model.logits(tokens, torch::full_like(batch.y, model::kNullLabel)).to(torch::kFloat64);
    TokenScores const conditional = score_tokens(under_label, tokens);
    TokenScores const unconditional = score_tokens(under_null, tokens);
    TokenScores const guidance = score_tokens(under_label - under_null, tokens);

    std::vector<torch::Tensor> rows;
    for (SignalInfo const& signal : signals) {
        std::string_view const name = signal.name;
        if (name == "label_gain")
            rows.push_back((conditional.log_p - unconditional.log_p).mean(1));
        else if (name.starts_with(kGuidance))
            rows.push_back(compute(name.substr(kGuidance.size()), guidance, tokens));
        else
            rows.push_back(compute(name, conditional, tokens));
    }
    return torch::stack(rows).to(torch::kCPU, torch::kFloat32).contiguous();
}

} // namespace assay::usage
