#include "assay/usage/choose_partners.hpp"

#include "usage/audit_input.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace assay::usage {

namespace {

SelfTest mean_self_test(AuditInput const& input) {
    check_input(input, {});
    AuditInput const ordered = canonical(input);
    std::vector<SelfTest> tests;
    for (std::size_t r = 0; r < ordered.references.size(); ++r)
        tests.push_back(self_test(ordered.references, r));
    return mean_of(tests);
}

// Smaller is better
auto rank_of(ConsideredPartners const& considered) {
    SelfTest const& test = considered.mean;
    return std::tuple(test.none > kLargestSelfTest, test.all < kWeakestSelfTest,
                      std::abs(test.none) + std::abs(test.all - 1));
}

} // namespace

std::size_t nearest(std::span<ConsideredPartners const> considered) {
    return static_cast<std::size_t>(std::ranges::min_element(considered, {}, rank_of) - considered.begin());
}

AuditInput choose_partners(std::vector<AuditInput> inputs) {
    if (std::ranges::any_of(inputs, [](AuditInput const& input) { return !input.references.empty(); }))
        std::erase_if(inputs, [](AuditInput const& input) { return input.references.empty(); });
    if (inputs.size() == 1 || inputs.front().references.empty())
        return std::move(inputs.front());
    std::vector<ConsideredPartners> considered;
    for (AuditInput const& input : inputs)
        considered.push_back({input.partners, mean_self_test(input)});
    AuditInput chosen = std::move(inputs[nearest(considered)]);
    chosen.considered = std::move(considered);
    return chosen;
}

std::string in_words(std::vector<ConsideredPartners> const& considered) {
    std::vector<std::string> words;
    for (ConsideredPartners const& one : considered)
        words.push_back(
            fmt::format("{}: none {:.2f}, all {:.2f}", one.partners, one.mean.none, one.mean.all));
    return fmt::format("{}", fmt::join(words, "; "));
}

} // namespace assay::usage
