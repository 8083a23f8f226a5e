#include "assay/report/sheet.hpp"

#include "data/part_fixtures.hpp"

#include <algorithm>
#include <optional>

using namespace assay;
using namespace assay::report;
using namespace assay::data::test;
using data::View;

namespace {

constexpr Colour kPaper{255, 255, 255};
constexpr std::size_t kSide = 96; // resized_to_see() leaves this size alone

// A picture of one colour that nothing else on a sheet has
Picture marked(std::uint8_t mark, std::size_t width = kSide, std::size_t height = kSide) {
    return {width, height, std::vector<Colour>(width * height, Colour{mark, 1, 250})};
}

struct Place {
    std::size_t left, top, right, bottom; // the last pixels, too
    bool operator==(Place const&) const = default;
};

// Where the colour of marked(mark) is; it must fill the whole rectangle
Place place_of(Picture const& sheet, std::uint8_t mark) {
    Place place{sheet.width, sheet.height, 0, 0};
    std::size_t count = 0;
    for (std::size_t y = 0; y < sheet.height; ++y)
        for (std::size_t x = 0; x < sheet.width; ++x)
            if (sheet.pixels[y * sheet.width + x] == Colour{mark, 1, 250}) {
                place = {std::min(place.left, x), std::min(place.top, y), std::max(place.right, x),
                         std::max(place.bottom, y)};
                ++count;
            }
    EXPECT_EQ(count, (place.right - place.left + 1) * (place.bottom - place.top + 1)) << int{mark};
    return place;
}

bool is_paper(Picture const& sheet, Place const& place) {
    for (std::size_t y = place.top; y <= place.bottom; ++y)
        for (std::size_t x = place.left; x <= place.right; ++x)
            if (sheet.pixels[y * sheet.width + x] != kPaper)
                return false;
    return true;
}

Sheet two_by_two(std::vector<std::string> const& caption) {
    return {"title",
            {{"heading",
              {{"one", {{marked(10), caption, true}, {marked(11), caption, false}}},
               {"two", {{marked(20), caption, false}, {marked(21), caption, false}}}}}}};
}

std::vector<std::string> labels_of(SheetSection const& section) {
    std::vector<std::string> labels;
    for (SheetRow const& row : section.rows)
        labels.push_back(row.label);
    return labels;
}

// The ids of the samples shown in a row: their first values, bytes
std::vector<int> ids_of(SheetRow const& row) {
    std::vector<int> ids;
    for (Cell const& cell : row.cells)
        ids.push_back(cell.picture.pixels.at(0)[0]);
    return ids;
}

View small_view(fs::path const& path, std::vector<std::uint64_t> const& ids,
                std::vector<std::int64_t> const& labels, data::Rows rows) {
    data::DatasetInfo info = kPartInfo;
    info.type = data::SampleType::uint8;
    return {write_part(path, ids, labels, info), std::move(rows)};
}

} // namespace

TEST(Sheet, CellsStandInRowsAndColumns) {
    Picture const sheet = draw(two_by_two({"12.3 %", "d 0.451"}));
    ASSERT_EQ(sheet.pixels.size(), sheet.width * sheet.height);
    Place const a = place_of(sheet, 10), b = place_of(sheet, 11), c = place_of(sheet, 20),
                d = place_of(sheet, 21);
    for (Place const& place : {a, b, c, d}) {
        EXPECT_EQ(place.right - place.left + 1, kSide);
        EXPECT_EQ(place.bottom - place.top + 1, kSide);
        // Captions: something dark below, nothing between the columns
        EXPECT_FALSE(is_paper(sheet, {place.left, place.bottom + 4, place.right, place.bottom + 50}));
        EXPECT_TRUE(is_paper(sheet, {place.right + 4, place.top, place.right + 6, place.bottom + 50}));
    }
    EXPECT_LT(a.right, b.left);
    EXPECT_LT(a.bottom, c.top);
    EXPECT_EQ(a.top, b.top);
    EXPECT_EQ(a.left, c.left);
    EXPECT_EQ(b.left, d.left);
    EXPECT_EQ(c.top, d.top);
    // A margin of paper all around, and labels at the left
    for (Place const& edge : {Place{0, 0, sheet.width - 1, 10},
                              {0, 0, 10, sheet.height - 1},
                              {sheet.width - 11, 0, sheet.width - 1, sheet.height - 1},
                              {0, sheet.height - 11, sheet.width - 1, sheet.height - 1}})
        EXPECT_TRUE(is_paper(sheet, edge));
    EXPECT_FALSE(is_paper(sheet, {0, c.top, c.left - 8, c.bottom}));
}

TEST(Sheet, AFrameSetsApart) {
    Picture const sheet = draw(two_by_two({}));
    Place const framed = place_of(sheet, 10), plain = place_of(sheet, 20);
    auto const beside = [&](Place const& place, std::size_t distance) {
        return sheet.pixels[(place.top + 5) * sheet.width + place.left - distance];
    };
    EXPECT_NE(beside(framed, 3), kPaper);
    EXPECT_EQ(beside(framed, 4), kPaper);
    EXPECT_NE(beside(plain, 1), kPaper);
    EXPECT_EQ(beside(plain, 2), kPaper);
    EXPECT_NE(beside(framed, 1), beside(plain, 1));
}

TEST(Sheet, LongCaptionsAreCut) {
    Picture const brief = draw(two_by_two({"123456789012"}));
    Picture const cut = draw(two_by_two({"1234567890123456789"}));
    EXPECT_EQ(cut.width, brief.width); // twelve characters are the most
    Place const a = place_of(cut, 10), b = place_of(cut, 11);
    EXPECT_TRUE(is_paper(cut, {b.left - 6, a.bottom + 4, b.left - 2, a.bottom + 40}));
    Picture const plain = draw(two_by_two({}));
    EXPECT_LT(plain.width, brief.width); // without captions as narrow as the pictures
    EXPECT_LT(plain.height, brief.height);
}

TEST(Sheet, TextIsDrawnWhereItBelongs) {
    Sheet sheet = two_by_two({"a"});
    Picture const before = draw(sheet);
    sheet.sections[0].rows[1].cells[1].caption[0] = "b";
    Picture const after = draw(sheet);
    ASSERT_EQ(before.width, after.width);
    Place const cell = place_of(after, 21);
    std::size_t changed = 0;
    for (std::size_t i = 0; i < after.pixels.size(); ++i)
        if (before.pixels[i] != after.pixels[i]) {
            ++changed;
            EXPECT_GT(i / after.width, cell.bottom);
            EXPECT_GE(i % after.width, cell.left);
            EXPECT_LE(i % after.width, cell.right);
        }
    EXPECT_GT(changed, 0U);
}

TEST(Sheet, PicturesOfAllSizesAndEmptySheetsAreDrawn) {
    Sheet const mixed{"", {{"", {{"", {{marked(1, 300, 500), {}, false}, {marked(2, 7, 3), {"x"}, true}}}}}}};
    Picture const sheet = draw(mixed);
    Place const large = place_of(sheet, 1), small = place_of(sheet, 2);
    EXPECT_EQ(large, (Place{large.left, large.top, large.left + 149, large.top + 249}));
    EXPECT_EQ(small, (Place{small.left, large.top, small.left + 97, large.top + 41}));
    EXPECT_GT(small.left, large.right);
    EXPECT_GT(draw({"only a title", {}}).width, 12 * 18U);
    EXPECT_GT(draw({}).height, 0U);
}

TEST(SampleGrid, HasARowForEachClass) {
    TempDir const dir;
    View const view = small_view(dir / "d.h5", {1, 2, 3, 4, 5, 6, 7, 8}, {7, 0, 7, 7, 2, 0, 0, 7},
                                 some_rows({0, 1, 3, 4, 5, 6, 7}));
    Sheet const grid = sample_grid("of two", view, 5, 2);
    EXPECT_EQ(grid.title, "of two");
    ASSERT_EQ(grid.sections.size(), 1U);
    EXPECT_EQ(labels_of(grid.sections[0]), (std::vector<std::string>{"class 0", "class 2", "class 7"}));
    EXPECT_EQ(ids_of(grid.sections[0].rows[0]), (std::vector<int>{2, 6}));
    EXPECT_EQ(ids_of(grid.sections[0].rows[1]), (std::vector<int>{5}));
    EXPECT_EQ(ids_of(grid.sections[0].rows[2]), (std::vector<int>{1, 4})); // row 2 is not in the view
    EXPECT_EQ(labels_of(sample_grid("", view, 2, 2).sections[0]),
              (std::vector<std::string>{"class 0", "class 2"}));
}

TEST(SampleGrid, NamesClassesWhereTheFileDoes) {
    TempDir const dir;
    data::DatasetInfo info{2, {1, 2, 2}, data::SampleType::uint8, "NCHW", true};
    {
        data::DatasetWriter writer(dir / "d.h5", info, false);
        writer.append(std::vector<std::byte>(8), std::vector<std::int64_t>{1, 5});
        writer.write_classes(std::vector<std::string>{"cat", "dog"});
        writer.finish();
    }
    View const view(std::make_shared<data::Dataset const>(dir / "d.h5"), data::Rows::all(2));
    EXPECT_EQ(labels_of(sample_grid("", view, 9, 9).sections[0]),
              (std::vector<std::string>{"dog", "class 5"}));
}

TEST(SampleGrid, WithoutLabelsKeepsTheOrder) {
    TempDir const dir;
    View const view = small_view(dir / "d.h5", {1, 2, 3, 4, 5, 6, 7}, {}, some_rows({0, 1, 2, 4, 5}));
    std::vector<SheetRow> const rows = sample_grid("", view, 3, 2).sections[0].rows;
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(ids_of(rows[0]), (std::vector<int>{1, 2}));
    EXPECT_EQ(ids_of(rows[1]), (std::vector<int>{3, 5}));
    EXPECT_EQ(ids_of(rows[2]), (std::vector<int>{6}));
    EXPECT_EQ(sample_grid("", view, 1, 2).sections[0].rows.size(), 1U);
}

TEST(ValuationSheet, ShowsNeighboursAndExtremes) {
    TempDir const dir;
    View const training = small_view(dir / "t.h5", {100, 101, 102, 103}, {0, 1, 0, 1}, data::Rows::all(4));
    View const generated = small_view(dir / "g.h5", {7, 8}, {}, data::Rows::all(2));
    ValuationPictures const shown{
        {{1, {{3, 0.75, 0.4567}, {0, 0.25, 12345}}}}, {{3, 1.5}, {0, 0.5}, {1, 0.25}, {2, 0.1}}, {{2, 0}}};
    Sheet const sheet = valuation_sheet("job", shown, generated, training);
    ASSERT_EQ(sheet.sections.size(), 3U);
    ASSERT_EQ(sheet.sections[0].rows.size(), 1U);
    auto const& cells = sheet.sections[0].rows[0].cells;
    EXPECT_EQ(ids_of(sheet.sections[0].rows[0]), (std::vector<int>{8, 103, 100}));
    EXPECT_TRUE(cells[0].framed);
    EXPECT_FALSE(cells[1].framed);
    EXPECT_EQ(cells[0].caption, (std::vector<std::string>{"generated", "id 8"}));
    EXPECT_EQ(cells[1].caption, (std::vector<std::string>{"75.0 %", "d 0.457", "class 1", "id 103"}));
    EXPECT_EQ(cells[2].caption, (std::vector<std::string>{"25.0 %", "d 1.23e+04", "class 0", "id 100"}));
    // Four in rows of three, as wide as the neighbours'
    ASSERT_EQ(sheet.sections[1].rows.size(), 2U);
    EXPECT_EQ(ids_of(sheet.sections[1].rows[0]), (std::vector<int>{103, 100, 101}));
    EXPECT_EQ(ids_of(sheet.sections[1].rows[1]), (std::vector<int>{102}));
    EXPECT_EQ(sheet.sections[1].rows[0].cells[0].caption,
              (std::vector<std::string>{"1.50", "class 1", "id 103"}));
    EXPECT_EQ(sheet.sections[2].rows.at(0).cells.at(0).caption,
              (std::vector<std::string>{"0", "class 0", "id 102"}));
    EXPECT_NO_THROW(draw(sheet));
}
