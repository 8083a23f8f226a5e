//! A small bitmap font for pictures: printable ASCII.
#pragma once

#include <cstddef>
#include <string>

namespace assay::report {

inline constexpr std::size_t kGlyphWidth = 5;  //!< dots; one more between characters
inline constexpr std::size_t kGlyphHeight = 9; //!< dots; the last two are below the baseline

//! Is the dot at (x, y), from the upper left, set? Anything but printable ASCII looks like '?'.
bool has_dot(char character, std::size_t x, std::size_t y);

//! The text with one '?' for each character that the font lacks.
std::string printable(std::string const& utf8);

} // namespace assay::report
