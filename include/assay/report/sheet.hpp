//! Contact sheets: pictures in rows, with captions.
#pragma once

#include "assay/data/view.hpp"
#include "assay/report/picture.hpp"

#include <string>
#include <vector>

namespace assay::report {

//! One picture and what stands under it, the first line darker than the others. A line that is wider than the
//! sheet's cells is cut.
struct Cell {
    Picture picture;
    std::vector<std::string> caption;
    bool framed = false; //!< set apart from the other pictures of its row
};

struct SheetRow {
    std::string label; //!< at the left
    std::vector<Cell> cells;
};

struct SheetSection {
    std::string heading;
    std::vector<SheetRow> rows;
};

struct Sheet {
    std::string title;
    std::vector<SheetSection> sections;
};

//! Local. Everything in columns of one width, dark on white; pictures as resized_to_see() makes them.
Picture draw(Sheet sheet);

//! Local. A row for each of the first `classes` classes that occur in the view, with the first `columns`
//! samples of it; `classes` rows in the view's order where there are no labels. Reads all labels.
Sheet sample_grid(std::string const& title, data::View const& view, std::size_t classes, std::size_t columns);

//! What to show of a valuation; rows are positions in the two views.
struct ValuationPictures {
    struct Neighbour {
        std::uint64_t row = 0;
        double share = 0; //!< of the generated sample's credit, in [0, 1]
        double distance = 0;
    };
    struct Generated {
        std::uint64_t row = 0;
        std::vector<Neighbour> neighbours; //!< nearest first
    };
    struct Valued {
        std::uint64_t row = 0;
        double credit = 0; //!< in generated samples
    };
    std::vector<Generated> generated;
    std::vector<Valued> top, bottom;
};

//! Local. Each generated sample beside its neighbours; below, the training samples of most and of least
//! credit.
Sheet valuation_sheet(std::string const& title, ValuationPictures const& shown, data::View const& generated,
                      data::View const& training);

} // namespace assay::report
