#include "usage/row_minima.hpp"

#include <vector>

namespace assay::usage {

namespace {

torch::Tensor row_dot(torch::Tensor const& a, torch::Tensor const& b) {
    return (a * b).sum(1, /*keepdim=*/true);
}

// One step taken: the change of place, of gradient, and 1/(their product), 0 for rows that are to forget it
struct Correction {
    torch::Tensor step, change, rho; // [B, D], [B, D], [B, 1]
};

// Two loops (Nocedal and Wright 2006, Algorithm 7.4)
torch::Tensor direction(torch::Tensor const& gradient, std::vector<Correction> const& history,
                        torch::Tensor const& scale) {
    torch::Tensor q = -gradient;
    std::vector<torch::Tensor> weights(history.size());
    for (std::size_t i = history.size(); i-- > 0;) {
        weights[i] = history[i].rho * row_dot(history[i].step, q);
        q = q - weights[i] * history[i].change;
    }
    torch::Tensor r = scale * q;
    for (std::size_t i = 0; i < history.size(); ++i)
        r = r + history[i].step * (weights[i] - history[i].rho * row_dot(history[i].change, r));
    return r;
}

} // namespace

RowMinima minimise(std::function<torch::Tensor(torch::Tensor const&)> const& f, torch::IntArrayRef shape,
                   torch::TensorOptions const& options, int steps) {
    torch::AutoGradMode const with_gradients(true);
    auto const gradient_at = [&](torch::Tensor const& at) {
        torch::Tensor const x = at.reshape(shape).detach().requires_grad_();
        return torch::autograd::grad({f(x).sum()}, {x}).front().flatten(1);
    };
    torch::Tensor at = torch::zeros(shape, options).flatten(1);
    torch::Tensor gradient = gradient_at(at);
    torch::Tensor scale = torch::ones({at.size(0), 1}, options);
    // The first step has no curvature to go by
    torch::Tensor length = gradient.abs().sum(1, true).reciprocal().clamp_max(1);
    std::vector<Correction> history;
    torch::Tensor alive = gradient.isfinite().all(1, true);
    for (int step = 0; step < steps; ++step) {
        torch::Tensor const d = direction(gradient, history, scale);
        torch::Tensor const descends = row_dot(gradient, d) < -1e-9; // else the row has arrived
        torch::Tensor const target = length * d;
        torch::Tensor const moves = descends & alive & target.isfinite().all(1, true);
        torch::Tensor moved = torch::where(moves, target, torch::zeros_like(d));
        torch::Tensor next = gradient_at(at + moved);
        // Without line search a step may lead out of the numbers: such a row stays where it was
        alive = alive & next.isfinite().all(1, true);
        moved = torch::where(alive, moved, torch::zeros_like(moved));
        next = torch::where(alive, next, gradient);
        at = at + moved;
        torch::Tensor const change = next - gradient;
        torch::Tensor const curvature = row_dot(change, moved);
        torch::Tensor const convex = curvature > 1e-10; // else there is no minimum to go by
        torch::Tensor const rho = torch::where(convex, curvature.reciprocal(), torch::zeros_like(curvature));
        scale = torch::where(convex, curvature / row_dot(change, change), scale);
        history.push_back({moved, change, rho});
        gradient = next;
        length = torch::ones_like(length);
    }
    torch::NoGradGuard const no_grad;
    at = at.reshape(shape);
    return {f(at), at};
}

} // namespace assay::usage
