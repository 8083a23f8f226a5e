#include "assay/report/sheet.hpp"

#include "report/font.hpp"

#include <algorithm>

namespace assay::report {

namespace {

constexpr Colour kPaper{255, 255, 255}, kInk{33, 37, 41}, kFaint{108, 117, 125}, kLine{206, 212, 218},
    kAccent{217, 72, 15};

// Pixels
constexpr std::size_t kMargin = 24, kGap = 10, kLargeGap = 20, kFrame = 3;
constexpr std::size_t kTitle = 3, kText = 2; // per dot of the font
constexpr std::size_t kWidestCaption = 12;   // characters

std::size_t text_width(std::size_t characters, std::size_t scale) {
    return characters * (kGlyphWidth + 1) * scale;
}

std::size_t line_height(std::size_t scale) {
    return (kGlyphHeight + 1) * scale;
}

void fill(Picture& on, std::size_t x, std::size_t y, std::size_t width, std::size_t height, Colour colour) {
    for (std::size_t v = y; v < std::min(y + height, on.height); ++v)
        for (std::size_t u = x; u < std::min(x + width, on.width); ++u)
            on.pixels[v * on.width + u] = colour;
}

void write(Picture& on, std::size_t x, std::size_t y, std::string const& text, std::size_t scale,
           Colour colour) {
    for (char const character : printable(text)) {
        for (std::size_t v = 0; v < kGlyphHeight; ++v)
            for (std::size_t u = 0; u < kGlyphWidth; ++u)
                if (has_dot(character, u, v))
                    fill(on, x + u * scale, y + v * scale, scale, scale, colour);
        x += text_width(1, scale);
    }
}

std::string cut(std::string const& text, std::size_t characters) {
    std::string const shown = printable(text);
    return shown.size() <= characters ? shown : shown.substr(0, characters - 2) + "..";
}

// Where everything goes: cells of one size, side by side
struct Layout {
    std::size_t label = 0; // width of the column of labels
    std::size_t cell = 0;  // width
    std::size_t columns = 0;
    std::size_t characters = 0; // that fit under a cell
};

Layout layout_of(Sheet const& sheet) {
    Layout layout;
    std::size_t caption = 0, label = 0;
    for (SheetSection const& section : sheet.sections)
        for (SheetRow const& row : section.rows) {
            label = std::max(label, printable(row.label).size());
            layout.columns = std::max(layout.columns, row.cells.size());
            for (Cell const& cell : row.cells) {
                layout.cell = std::max(layout.cell, cell.picture.width);
                for (std::string const& line : cell.caption)
                    caption = std::max(caption, std::min(printable(line).size(), kWidestCaption));
            }
        }
    layout.cell = std::max(layout.cell, text_width(caption, kText));
    layout.label = label > 0 ? text_width(label, kText) + kGap : 0;
    layout.characters = layout.cell / text_width(1, kText);
    return layout;
}

std::size_t picture_height(SheetRow const& row) {
    std::size_t height = 0;
    for (Cell const& cell : row.cells)
        height = std::max(height, cell.picture.height);
    return height;
}

// With the gap to the next
std::size_t row_height(SheetRow const& row) {
    std::size_t lines = 0;
    for (Cell const& cell : row.cells)
        lines = std::max(lines, cell.caption.size());
    std::size_t const captions = lines > 0 ? lines * line_height(kText) + kLargeGap : 0;
    return picture_height(row) + kGap + captions;
}

std::size_t title_height(Sheet const& sheet) {
    return sheet.title.empty() ? 0 : line_height(kTitle) + kGap / 2;
}

std::size_t heading_height(SheetSection const& section) {
    return section.heading.empty() ? 0 : kGap + line_height(kText) + kGap;
}

std::size_t total_height(Sheet const& sheet) {
    std::size_t height = 2 * kMargin + title_height(sheet);
    for (SheetSection const& section : sheet.sections) {
        height += heading_height(section);
        for (SheetRow const& row : section.rows)
            height += row_height(row);
    }
    return height;
}

std::size_t total_width(Sheet const& sheet, Layout const& layout) {
    std::size_t width = layout.label + layout.columns * (layout.cell + kGap);
    width = std::max(width, text_width(printable(sheet.title).size(), kTitle));
    for (SheetSection const& section : sheet.sections)
        width = std::max(width, text_width(printable(section.heading).size(), kText));
    return width + 2 * kMargin;
}

void draw_cell(Picture& on, std::size_t x, std::size_t y, Cell const& cell, std::size_t height,
               Layout const& layout) {
    Picture const& picture = cell.picture;
    std::size_t const frame = cell.framed ? kFrame : 1;
    fill(on, x - frame, y - frame, picture.width + 2 * frame, picture.height + 2 * frame,
         cell.framed ? kAccent : kLine);
    for (std::size_t v = 0; v < picture.height; ++v)
        std::copy_n(picture.pixels.begin() + static_cast<std::ptrdiff_t>(v * picture.width), picture.width,
                    on.pixels.begin() + static_cast<std::ptrdiff_t>((y + v) * on.width + x));
    y += height + kGap;
    for (std::size_t i = 0; i < cell.caption.size(); ++i, y += line_height(kText))
        write(on, x, y, cut(cell.caption[i], layout.characters), kText,
              i > 0         ? kFaint
              : cell.framed ? kAccent
                            : kInk);
}

void draw_row(Picture& on, std::size_t y, SheetRow const& row, Layout const& layout) {
    std::size_t const height = picture_height(row);
    write(on, kMargin, y + height / 2 - std::min(height / 2, kGlyphHeight), row.label, kText, kInk);
    std::size_t x = kMargin + layout.label;
    for (Cell const& cell : row.cells) {
        draw_cell(on, x, y, cell, height, layout);
        x += layout.cell + kGap;
    }
}

} // namespace

Picture draw(Sheet sheet) {
    for (SheetSection& section : sheet.sections)
        for (SheetRow& row : section.rows)
            for (Cell& cell : row.cells)
                cell.picture = resized_to_see(cell.picture);
    Layout const layout = layout_of(sheet);
    Picture picture{total_width(sheet, layout), total_height(sheet), {}};
    picture.pixels.assign(picture.width * picture.height, kPaper);
    std::size_t y = kMargin;
    write(picture, kMargin, y, sheet.title, kTitle, kInk);
    y += title_height(sheet);
    for (SheetSection const& section : sheet.sections) {
        write(picture, kMargin, y + kGap, section.heading, kText, kFaint);
        y += heading_height(section);
        for (SheetRow const& row : section.rows) {
            draw_row(picture, y, row, layout);
            y += row_height(row);
        }
    }
    return picture;
}

} // namespace assay::report
