#include "assay/usage/calibrate.hpp"

#include "assay/base/stats.hpp"
#include "assay/usage/score.hpp"

#include <cmath>

namespace assay::usage {

namespace {

// How many of the reference models that take part have not seen each suspect; their mean over `view`
class Unseen {
  public:
    Unseen(std::span<ReferenceModel const> references, std::optional<std::size_t> left_out)
        : references_(references), left_out_(left_out), count_(references.front().member.size(), 0) {
        for_each([&](ReferenceModel const& reference) {
            for (std::size_t i = 0; i < count_.size(); ++i)
                count_[i] += reference.member[i] ? 0 : 1;
        });
    }

    std::vector<double> mean(std::size_t view, std::size_t signal) const {
        std::vector<double> sum(count_.size(), 0);
        for_each([&](ReferenceModel const& reference) {
            std::vector<double> const& column = reference.views[view].columns[signal];
            for (std::size_t i = 0; i < sum.size(); ++i)
                sum[i] += reference.member[i] ? 0 : column[i];
        });
        for (std::size_t i = 0; i < sum.size(); ++i)
            sum[i] /= count_[i];
        return sum;
    }

  private:
    void for_each(auto const& visit) const {
        for (std::size_t r = 0; r < references_.size(); ++r)
            if (r != left_out_)
                visit(references_[r]);
    }

    std::span<ReferenceModel const> references_;
    std::optional<std::size_t> left_out_;
    std::vector<double> count_;
};

double median(std::vector<double> const& values) {
    return quantiles(values, std::array{0.5}).front();
}

struct Line {
    double offset = 0, slope = 0;
    double at(double x) const { return offset + slope * x; }
};

// Least squares over the pairs that are kept
Line fit_line(std::vector<double> const& x, std::vector<double> const& y, std::vector<bool> const& kept) {
    double n = 0, mean_x = 0, mean_y = 0, xx = 0, xy = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
        if (kept[i]) {
            n += 1;
            mean_x += x[i];
            mean_y += y[i];
        }
    mean_x /= n;
    mean_y /= n;
    for (std::size_t i = 0; i < x.size(); ++i)
        if (kept[i]) {
            xx += (x[i] - mean_x) * (x[i] - mean_x);
            xy += (x[i] - mean_x) * (y[i] - mean_y);
        }
    double const slope = xx > 0 ? xy / xx : 0;
    return {mean_y - slope * mean_x, slope};
}

std::vector<double> residuals(std::vector<double> const& y, std::vector<double> const& x, Line const& line) {
    std::vector<double> result(y.size());
    for (std::size_t i = 0; i < y.size(); ++i)
        result[i] = y[i] - line.at(x[i]);
    return result;
}

// The same without what lies far off: a partner may be a near copy of something that was used
Line fit_trimmed(std::vector<double> const& x, std::vector<double> const& y) {
    constexpr int kRounds = 3;
    constexpr double kFar = 3 * 1.4826; // median absolute deviations in three normal sd
    std::vector<bool> kept(x.size(), true);
    Line line = fit_line(x, y, kept);
    for (int round = 0; round < kRounds; ++round) {
        std::vector<double> const left = residuals(y, x, line);
        double const centre = median(left);
        std::vector<double> distance;
        for (double value : left)
            distance.push_back(std::abs(value - centre));
        double const limit = kFar * median(distance);
        for (std::size_t i = 0; i < kept.size(); ++i)
            kept[i] = distance[i] <= limit;
        line = fit_line(x, y, kept);
    }
    return line;
}

} // namespace

ReferenceModel take_rows(ReferenceModel const& model, std::span<std::size_t const> rows) {
    ReferenceModel taken;
    for (std::size_t view = 0; view < taken.views.size(); ++view)
        taken.views[view] = take_rows(model.views[view], rows);
    for (std::size_t row : rows)
        taken.member.push_back(model.member[row]);
    return taken;
}

Calibrated calibrate(Views const& target, std::span<ReferenceModel const> references,
                     std::optional<std::size_t> left_out) {
    Unseen const unseen(references, left_out);
    Calibrated result{target[0], target[1], target[1], target[2]};
    for (std::size_t k = 0; k < target[0].columns.size(); ++k) {
        std::array<std::vector<double>, 3> const expected{unseen.mean(0, k), unseen.mean(1, k),
                                                          unseen.mean(2, k)};
        auto const y = [&](std::size_t view) -> auto const& {
            return target[view].columns[k];
        };
        Line const line = fit_trimmed(expected[1], y(1)), above = fit_trimmed(expected[2], y(2));
        result.suspects.columns[k] = residuals(y(0), expected[0], line);
        result.reference.columns[k] = residuals(y(1), expected[1], line);
        result.control_suspects.columns[k] = residuals(y(1), expected[1], above);
        result.control.columns[k] = residuals(y(2), expected[2], above);
    }
    return result;
}

double relative_spread(SignalTable const& target_partners, std::span<ReferenceModel const> references) {
    std::vector<double> const wide = fit_scale(target_partners).width;
    std::vector<double> usual(wide.size(), 0);
    for (ReferenceModel const& reference : references) {
        std::vector<double> const width = fit_scale(reference.views[1]).width;
        for (std::size_t k = 0; k < width.size(); ++k)
            usual[k] += width[k] / static_cast<double>(references.size());
    }
    std::vector<double> ratios;
    for (std::size_t k = 0; k < wide.size(); ++k)
        if (usual[k] > 0)
            ratios.push_back(wide[k] / usual[k]);
    return ratios.empty() ? 0 : median(ratios);
}

} // namespace assay::usage
