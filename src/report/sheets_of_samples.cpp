#include "assay/report/sheet.hpp"

#include <algorithm>
#include <map>

namespace assay::report {

namespace {

constexpr std::uint64_t kPiece = 1 << 16; // labels at a time

Picture picture_at(data::View const& view, std::uint64_t position) {
    return picture_of(view.info(), view.read(position, position + 1).values);
}

std::string label_text(data::View const& view, std::int64_t label) {
    std::vector<std::string> const names = view.dataset().classes();
    bool const named = label >= 0 && static_cast<std::uint64_t>(label) < names.size();
    return named ? names[static_cast<std::size_t>(label)] : fmt::format("class {}", label);
}

// The first positions of each class that occurs
std::map<std::int64_t, std::vector<std::uint64_t>> first_of_classes(data::View const& view,
                                                                    std::size_t columns) {
    std::map<std::int64_t, std::vector<std::uint64_t>> firsts;
    for (std::uint64_t begin = 0; begin < view.size(); begin += kPiece) {
        std::vector<std::int64_t> const labels = view.labels(begin, std::min(begin + kPiece, view.size()));
        for (std::size_t i = 0; i < labels.size(); ++i)
            if (auto& found = firsts[labels[i]]; found.size() < columns)
                found.push_back(begin + i);
    }
    return firsts;
}

// Three digits, the last zeros too, so that columns of numbers look alike
std::string number_text(double value) {
    return value == 0 ? "0" : fmt::format("{:#.3g}", value);
}

// A sample with its label and id under `caption`
Cell cell_of(data::View const& view, std::uint64_t position, std::vector<std::string> caption) {
    std::vector<std::int64_t> const labels = view.labels(position, position + 1);
    if (!labels.empty())
        caption.push_back(label_text(view, labels[0]));
    caption.push_back(fmt::format("id {}", view.ids(position, position + 1)[0]));
    return {picture_at(view, position), std::move(caption), false};
}

SheetRow generated_row(ValuationPictures::Generated const& shown, data::View const& generated,
                       data::View const& training) {
    SheetRow row;
    row.cells.push_back(cell_of(generated, shown.row, {"generated"}));
    row.cells.front().framed = true;
    for (auto const& neighbour : shown.neighbours)
        row.cells.push_back(cell_of(
            training, neighbour.row,
            {fmt::format("{:.1f} %", 100 * neighbour.share), "d " + number_text(neighbour.distance)}));
    return row;
}

// In rows of `columns`
SheetSection valued_section(std::string const& heading, std::vector<ValuationPictures::Valued> const& shown,
                            data::View const& training, std::size_t columns) {
    SheetSection section{heading, {}};
    for (std::size_t i = 0; i < shown.size(); ++i) {
        if (i % columns == 0)
            section.rows.emplace_back();
        section.rows.back().cells.push_back(cell_of(training, shown[i].row, {number_text(shown[i].credit)}));
    }
    return section;
}

} // namespace

Sheet sample_grid(std::string const& title, data::View const& view, std::size_t classes,
                  std::size_t columns) {
    SheetSection section;
    auto const add_row = [&](std::string const& label, std::vector<std::uint64_t> const& positions) {
        SheetRow row{label, {}};
        for (std::uint64_t const position : positions)
            row.cells.push_back({picture_at(view, position), {}, false});
        section.rows.push_back(std::move(row));
    };
    if (view.info().has_labels)
        for (auto const& [label, positions] : first_of_classes(view, columns)) {
            if (section.rows.size() == classes)
                break;
            add_row(label_text(view, label), positions);
        }
    else
        for (std::uint64_t begin = 0; begin < std::min<std::uint64_t>(view.size(), classes * columns);
             begin += columns) {
            std::vector<std::uint64_t> positions;
            for (std::uint64_t i = begin; i < std::min<std::uint64_t>(view.size(), begin + columns); ++i)
                positions.push_back(i);
            add_row("", positions);
        }
    return {title, {section}};
}

Sheet valuation_sheet(std::string const& title, ValuationPictures const& shown, data::View const& generated,
                      data::View const& training) {
    SheetSection first{"generated samples and their nearest training samples: share of the credit, distance",
                       {}};
    std::size_t columns = 1;
    for (auto const& sample : shown.generated) {
        first.rows.push_back(generated_row(sample, generated, training));
        columns = std::max(columns, first.rows.back().cells.size());
    }
    return {title,
            {first,
             valued_section("training samples of most credit (in generated samples)", shown.top, training,
                            columns),
             valued_section("training samples of least credit", shown.bottom, training, columns)}};
}

} // namespace assay::report
