#include "assay/usage/duci.hpp"

#include "assay/base/error.hpp"
#include "assay/base/stats.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace assay::usage {

namespace {

using Values = std::vector<double>;

std::size_t column(SignalTable const& table, std::string_view name) {
    return static_cast<std::size_t>(std::ranges::find(table.names, name) - table.names.begin());
}

bool has(SignalTable const& table, std::string_view name) {
    return column(table, name) < table.names.size();
}

void check_input(DuciInput const& input) {
    if (input.references.size() < 4 || input.references.size() % 2 != 0 ||
        input.member.size() != input.references.size())
        fail(Exit::usage,
             "{} reference models with {} membership lists (pairs are needed, two at least, each model "
             "with its own list)",
             input.references.size(), input.member.size());
    auto const check = [&](ModelView const& view) {
        check_table(view.suspects, "suspects");
        check_table(view.held_out, "held-out samples");
        if (!has(view.suspects, "loss") || view.suspects.names != input.target.suspects.names ||
            view.held_out.names != view.suspects.names ||
            view.suspects.rows() != input.target.suspects.rows() ||
            view.held_out.rows() != input.target.held_out.rows())
            fail(Exit::data, "reference models and target have other signals or samples, or no loss (they "
                             "are compared one by "
                             "one). Compute the same signals on all of them");
    };
    check(input.target);
    for (ModelView const& reference : input.references)
        check(reference);
    for (auto const& member : input.member)
        if (member.size() != input.target.suspects.rows())
            fail(Exit::data, "a reference model has {} membership flags (must be {}, one per suspect)",
                 member.size(), input.target.suspects.rows());
}

// --- Scores of one model by the others -------------------------------------------------------------------

// Numbers of the references that judge: all but a pair. The suspects of a reference are the others of its
// partner, which would judge only one kind; and the target must be judged by as many as references are
std::vector<std::size_t> judges(DuciInput const& input, std::size_t pair) {
    std::vector<std::size_t> result;
    for (std::size_t r = 0; r < input.references.size(); ++r)
        if (r / 2 != pair)
            result.push_back(r);
    return result;
}

Values probabilities(SignalTable const& table) {
    Values result = table.columns[column(table, "loss")];
    for (double& value : result)
        value = std::exp(value);
    return result;
}

// log of p_f(y|x) / P(x): the ratios' order is all that counts
Values rmia_ratios(Values const& target, std::function<double(std::size_t)> const& average) {
    Values ratios(target.size());
    for (std::size_t i = 0; i < ratios.size(); ++i)
        ratios[i] = std::max(target[i], 1e-300) / average(i);
    return ratios;
}

// Of the labels
struct Probabilities {
    Values suspects, held_out;
};

Probabilities of_model(ModelView const& view) {
    return {probabilities(view.suspects), probabilities(view.held_out)};
}

// Share of held-out samples with a smaller ratio, per suspect
Values rmia_scores(DuciInput const& input, std::vector<Probabilities> const& references,
                   Probabilities const& judged, std::size_t left_out, double a) {
    std::vector<std::size_t> const by = judges(input, left_out);
    auto const mean_out = [&](std::size_t i) {
        double out = 0, all = 0;
        int count = 0;
        for (std::size_t r : by)
            if (input.member[r][i])
                all += rmia_out(references[r].suspects[i], a);
            else {
                out += references[r].suspects[i];
                ++count;
            }
        return count > 0 ? out / count : all / static_cast<double>(by.size());
    };
    Values const x =
        rmia_ratios(judged.suspects, [&](std::size_t i) { return rmia_average(mean_out(i), a); });
    Values const z = sorted(rmia_ratios(judged.held_out, [&](std::size_t i) {
        double sum = 0;
        for (std::size_t r : by)
            sum += references[r].held_out[i];
        return rmia_average(sum / static_cast<double>(by.size()), a);
    }));
    Values scores;
    for (double ratio : x)
        scores.push_back(static_cast<double>(std::ranges::lower_bound(z, ratio) - z.begin()) /
                         static_cast<double>(z.size()));
    return scores;
}

// log N(phi; in) - log N(phi; out): means over the judges on either side, a deviation per side from all
// suspects. Suspects that have no judge on a side score 0
Values lira_scores(DuciInput const& input, SignalTable const& judged, std::size_t left_out) {
    std::size_t const k = column(judged, has(judged, "logit") ? "logit" : "loss");
    std::vector<std::size_t> const by = judges(input, left_out);
    std::size_t const n = judged.rows();
    struct Side {
        Values mean;
        double squares = 0, freedom = 0;
        double sd() const { return freedom > 0 ? std::sqrt(squares / freedom) : NAN; }
    };
    auto const side = [&](bool is_member) {
        Side result{Values(n, NAN)};
        for (std::size_t i = 0; i < n; ++i) {
            Values phi;
            for (std::size_t r : by)
                if ((input.member[r][i] != 0) == is_member)
                    phi.push_back(input.references[r].suspects.columns[k][i]);
            if (phi.empty())
                continue;
            result.mean[i] = mean(phi);
            for (double value : phi)
                result.squares += (value - result.mean[i]) * (value - result.mean[i]);
            result.freedom += static_cast<double>(phi.size() - 1);
        }
        return result;
    };
    Side const in = side(true), out = side(false);
    // Where no suspect has two judges on a side, the other side's deviation serves both, or any: then they
    // are equal, and only the scale of the scores is not known
    double const either = in.freedom > 0 ? in.sd() : out.freedom > 0 ? out.sd() : 1;
    double const sd_in = in.freedom > 0 ? in.sd() : either, sd_out = out.freedom > 0 ? out.sd() : either;
    Values scores(n, 0);
    for (std::size_t i = 0; i < n && sd_in > 0 && sd_out > 0; ++i) {
        if (std::isnan(in.mean[i]) || std::isnan(out.mean[i]))
            continue;
        double const phi = judged.columns[k][i];
        double const a = (phi - in.mean[i]) / sd_in, b = (phi - out.mean[i]) / sd_out;
        scores[i] = 0.5 * (b * b - a * a) + std::log(sd_out / sd_in);
    }
    return scores;
}

// --- From scores to shares -------------------------------------------------------------------------------

// Scores of suspects by references that others judge, members and others apart
struct Pooled {
    Values members, others;
};

// scores_of(r) are those of reference r
template <class Scores>
Pooled pool(DuciInput const& input, Scores const& scores_of) {
    Pooled pooled;
    for (std::size_t r = 0; r < input.references.size(); ++r) {
        Values const scores = scores_of(r);
        for (std::size_t i = 0; i < scores.size(); ++i)
            (input.member[r][i] ? pooled.members : pooled.others).push_back(scores[i]);
    }
    std::ranges::sort(pooled.members);
    std::ranges::sort(pooled.others);
    return pooled;
}

// The target counted once without each pair, scores_of(pair), and the mean
template <class Scores>
std::optional<AdjustedCount> count(DuciInput const& input, Pooled const& pooled, Scores const& scores_of) {
    if (pooled.members.empty() || pooled.others.empty())
        return std::nullopt;
    std::size_t const pairs = input.references.size() / 2;
    AdjustedCount sum;
    for (std::size_t pair = 0; pair < pairs; ++pair) {
        std::optional<AdjustedCount> const found =
            adjusted_count(sorted(scores_of(pair)), pooled.members, pooled.others);
        if (!found)
            return std::nullopt;
        sum.fraction += found->fraction / static_cast<double>(pairs);
        sum.standard_error += found->standard_error / static_cast<double>(pairs);
        sum.threshold = found->threshold;
    }
    return sum;
}

std::optional<double> regress_loss(DuciInput const& input) {
    double used = 0, unused = 0, n_used = 0, n_unused = 0;
    for (std::size_t r = 0; r < input.references.size(); ++r) {
        SignalTable const& table = input.references[r].suspects;
        Values const& loss = table.columns[column(table, "loss")];
        for (std::size_t i = 0; i < loss.size(); ++i)
            if (input.member[r][i]) {
                used += loss[i];
                n_used += 1;
            } else {
                unused += loss[i];
                n_unused += 1;
            }
    }
    double const gap = used / n_used - unused / n_unused;
    if (!(gap > 0))
        return std::nullopt;
    SignalTable const& table = input.target.suspects;
    return std::clamp((mean(table.columns[column(table, "loss")]) - unused / n_unused) / gap, 0.0, 1.0);
}

// One line per signal whose mean over the held-out samples is unlike any reference's
std::vector<std::string> find_mismatch(DuciInput const& input) {
    std::vector<std::string> lines;
    for (std::string_view name : {"loss", "margin", "accuracy"}) {
        std::string_view const signal = name == "accuracy" ? "margin" : name;
        if (!has(input.target.held_out, signal))
            continue;
        auto const values = [&](SignalTable const& table) {
            Values result = table.columns[column(table, signal)];
            if (name == "accuracy")
                for (double& margin : result)
                    margin = margin > 0;
            return result;
        };
        Values const own = values(input.target.held_out);
        Values means;
        for (ModelView const& reference : input.references)
            means.push_back(mean(values(reference.held_out)));
        auto const [low, high] = std::ranges::minmax(means);
        double const slack = 2 * sd(own) / std::sqrt(static_cast<double>(own.size()));
        if (double const at = mean(own); at < low - slack || at > high + slack)
            lines.push_back(fmt::format("{} {:.3g} (references {:.3g} to {:.3g})", name, at, low, high));
    }
    return lines;
}

} // namespace

double rmia_average(double out, double a) {
    return ((1 + a) * out + (1 - a)) / 2;
}

double rmia_out(double in, double a) {
    return std::clamp((in + a - 1) / a, 1e-6, 1.0);
}

Duci duci(DuciInput const& input) {
    check_input(input);
    Probabilities const target = of_model(input.target);
    std::vector<Probabilities> references;
    for (ModelView const& reference : input.references)
        references.push_back(of_model(reference));
    Duci result;
    Pooled best;
    for (int tenth = 1; tenth <= 10; ++tenth) {
        double const a = tenth / 10.0;
        Pooled pooled = pool(
            input, [&](std::size_t r) { return rmia_scores(input, references, references[r], r / 2, a); });
        if (pooled.members.empty() || pooled.others.empty())
            continue;
        if (double const found = auc(pooled.members, pooled.others);
            best.members.empty() || found > result.reference_auc) {
            result.reference_auc = found;
            result.offset = a;
            best = std::move(pooled);
        }
    }
    result.rmia = count(input, best, [&](std::size_t pair) {
        return rmia_scores(input, references, target, pair, result.offset);
    });
    Pooled const ratios =
        pool(input, [&](std::size_t r) { return lira_scores(input, input.references[r].suspects, r / 2); });
    result.lira = count(input, ratios,
                        [&](std::size_t pair) { return lira_scores(input, input.target.suspects, pair); });
    result.loss_regression = regress_loss(input);
    result.mismatch = find_mismatch(input);
    return result;
}

} // namespace assay::usage
