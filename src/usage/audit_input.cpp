#include "usage/audit_input.hpp"

#include "assay/base/error.hpp"
#include "assay/usage/score.hpp"

#include <algorithm>
#include <numeric>

namespace assay::usage {

namespace {

// A suspect that every reference model was trained on, or all but one, cannot be calibrated in every
// self-test
void check_unseen(AuditInput const& input) {
    for (std::size_t i = 0; i < input.suspect_ids.size() && !input.references.empty(); ++i) {
        auto const unseen = std::ranges::count_if(
            input.references, [&](ReferenceModel const& reference) { return reference.member[i] == 0; });
        if (unseen < 2)
            fail(Exit::data,
                 "suspect {} is in the training set of all reference models but {} (two at least must not "
                 "have "
                 "seen it, for one to judge the other). Train more of them on other parts",
                 input.suspect_ids[i], unseen);
    }
}

} // namespace

void check_input(AuditInput const& input, AuditOptions const& options) {
    if (!(options.confidence > 0.5 && options.confidence < 1))
        fail(Exit::usage, "confidence={} (must lie between 0.5 and 1). Use 0.95", options.confidence);
    if (options.bootstrap < 1)
        fail(Exit::usage, "bootstrap={} (an interval needs replicates). Use 200", options.bootstrap);
    if (options.logistic && input.paired)
        fail(Exit::usage, "logistic scorer with synthetic partners (it learns the generator's artefacts). "
                          "Use the z-sum score or give held-out data");
    if (input.control && !input.paired)
        fail(Exit::usage,
             "control signals without partners (a control is the partner of a partner). Leave them out");
    if (input.upper_rungs && (!input.paired || input.control || input.members))
        fail(Exit::usage,
             "a ladder of mixtures beside held-out samples, controls or known members (steps are "
             "not compared with signals). Leave one out");
    if (!input.references.empty() && !input.upper_rungs && !input.control)
        fail(Exit::usage,
             "reference models without partners and their partners (signals are calibrated by what "
             "models say of them). Leave the reference models out");
    if (!input.references.empty() && input.members)
        fail(Exit::usage, "known members beside reference models that calibrate partners (residuals are not "
                          "compared with signals). Leave one out");
    auto const check_side = [&](SignalTable const& table, std::size_t n_ids, std::string_view side) {
        check_table(table, side);
        if (table.names != input.suspects.names)
            fail(Exit::data,
                 "the {} have other signals than the suspects (they are compared signal by signal). "
                 "Compute the same signals for both",
                 side);
        if (table.rows() != n_ids)
            fail(Exit::data,
                 "the {} have {} rows and {} ids (one id per row is needed). Check the results file", side,
                 table.rows(), n_ids);
    };
    check_side(input.suspects, input.suspect_ids.size(), "suspects");
    check_side(input.reference, (input.paired ? input.suspect_ids : input.reference_ids).size(), "reference");
    if (input.control)
        check_side(*input.control, input.suspect_ids.size(), "control");
    if (input.upper_rungs)
        for (SignalTable const& rung : *input.upper_rungs)
            check_side(rung, input.suspect_ids.size(), "mixtures");
    if (input.members)
        check_side(*input.members, input.member_ids.size(), "known members");
    for (ReferenceModel const& reference : input.references) {
        for (SignalTable const& view : reference.views)
            check_side(view, input.suspect_ids.size(), "suspects on a reference model");
        if (reference.member.size() != input.suspect_ids.size())
            fail(Exit::data, "a reference model has {} membership flags (must be {}, one per suspect)",
                 reference.member.size(), input.suspect_ids.size());
    }
    check_unseen(input);
}

namespace {

std::vector<std::size_t> order_by_id(std::vector<std::uint64_t> const& ids, std::string_view side) {
    std::vector<std::size_t> order(ids.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return ids[a] < ids[b]; });
    for (std::size_t i = 1; i < order.size(); ++i)
        if (ids[order[i]] == ids[order[i - 1]])
            fail(Exit::data,
                 "id {} comes twice among the {} (ids must be unique). Remove the repeated sample",
                 ids[order[i]], side);
    return order;
}

} // namespace

AuditInput canonical(AuditInput const& input) {
    auto const take = [](auto const& values, std::vector<std::size_t> const& order) {
        std::remove_cvref_t<decltype(values)> taken;
        for (std::size_t i : order)
            taken.push_back(values[i]);
        return taken;
    };
    std::vector<std::size_t> const order = order_by_id(input.suspect_ids, "suspects");
    std::vector<std::size_t> const reference_order =
        input.paired ? order : order_by_id(input.reference_ids, "reference");
    AuditInput result;
    result.suspects = take_rows(input.suspects, order);
    result.suspect_ids = take(input.suspect_ids, order);
    result.reference = take_rows(input.reference, reference_order);
    result.reference_ids = input.paired ? result.suspect_ids : take(input.reference_ids, reference_order);
    result.paired = input.paired;
    if (input.control)
        result.control = take_rows(*input.control, order);
    if (input.upper_rungs) {
        result.upper_rungs.emplace();
        for (std::size_t k = 0; k < kSteps - 1; ++k)
            (*result.upper_rungs)[k] = take_rows((*input.upper_rungs)[k], order);
    }
    for (ReferenceModel const& reference : input.references)
        result.references.push_back(take_rows(reference, order));
    if (input.duci) {
        auto const ordered = [&](ModelView const& view) {
            return ModelView{take_rows(view.suspects, order), take_rows(view.held_out, reference_order)};
        };
        result.duci = DuciInput{ordered(input.duci->target), {}, {}};
        for (ModelView const& reference : input.duci->references)
            result.duci->references.push_back(ordered(reference));
        for (auto const& member : input.duci->member)
            result.duci->member.push_back(take(member, order));
    }
    if (input.members) {
        std::vector<std::size_t> const member_order = order_by_id(input.member_ids, "known members");
        result.members = take_rows(*input.members, member_order);
        result.member_ids = take(input.member_ids, member_order);
    }
    return result;
}

namespace {

Views target_views(AuditInput const& input) {
    return {input.suspects, input.reference, input.upper_rungs ? input.upper_rungs->front() : *input.control};
}

} // namespace

Compared as_compared(AuditInput input) {
    if (!input.references.empty()) {
        double const spread = relative_spread(input.reference, input.references);
        Calibrated calibrated = calibrate(target_views(input), input.references);
        input.references.clear();
        input.upper_rungs.reset();
        input.suspects = std::move(calibrated.suspects);
        input.reference = std::move(calibrated.reference);
        input.control_suspects = std::move(calibrated.control_suspects);
        input.control = std::move(calibrated.control);
        return {std::move(input), spread};
    }
    if (!input.upper_rungs)
        return {std::move(input)};
    auto& upper = *input.upper_rungs;
    Ladder ladder = steps_of({std::move(input.suspects), std::move(input.reference), std::move(upper[0]),
                              std::move(upper[1]), std::move(upper[2])});
    input.upper_rungs.reset();
    input.suspects = std::move(ladder.suspects);
    input.reference = std::move(ladder.reference);
    input.control_suspects = std::move(ladder.control_suspects);
    input.control = std::move(ladder.control);
    return {std::move(input)};
}

AuditInput without_constant_signals(AuditInput input, std::vector<std::string>& dropped) {
    std::vector<std::size_t> const usable = usable_signals(fit_scale(input.reference));
    std::vector<bool> used(input.reference.names.size(), false);
    for (std::size_t k : usable)
        used[k] = true;
    for (std::size_t k = 0; k < used.size(); ++k)
        if (!used[k])
            dropped.push_back(input.reference.names[k]);
    if (usable.empty())
        fail(Exit::data,
             "every signal is constant over the reference, '{}' for one (a constant cannot be scaled). "
             "Check that the model and the samples belong together",
             dropped.front());
    input.suspects = take_signals(input.suspects, usable);
    input.reference = take_signals(input.reference, usable);
    for (auto* table : {&input.control, &input.control_suspects, &input.members})
        if (*table)
            *table = take_signals(**table, usable);
    return input;
}

} // namespace assay::usage
