// Pieces of the page: text that is safe in HTML, numbers for people, and tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pdl::report {

// What stands where there is no number.
inline constexpr std::string_view kNone = "–";

// Returns `text`, which need not be UTF-8, as plain text in which nothing is hidden: characters
// that cannot be seen or that turn the direction of the text are written as \u202e or \U000e0041,
// bytes that are no UTF-8 as \xff.
std::string visible(std::string_view text);

// Returns visible(text) for the content of an element or an attribute.
std::string escape(std::string_view text);

// The same with line feeds as <br>.
std::string escape_lines(std::string_view text);

// Returns at most `max_characters` characters of visible(text), with "…" if some are missing. Not
// yet escaped.
std::string shortened(std::string_view text, size_t max_characters);

// "-0.134"; without the sign if all digits are 0, and kNone for a number that is not finite.
std::string decimals(double value, int digits);
std::string decimals(const std::optional<double>& value, int digits);

// "1,234", or kNone.
std::string count(const std::optional<int64_t>& value);

// "12.3 %", or kNone.
std::string share(const std::optional<double>& value);

// "1 seed", "2 seeds".
std::string counted(size_t number, const std::string& noun);

// A cell of a table: `html` is escaped already.
struct Cell {
  std::string html;
  bool is_number = false;
};

Cell text_cell(std::string_view text);
Cell number_cell(const std::string& text);

// A table whose first column has the heads of the rows.
struct Table {
  std::string caption;  // plain text
  std::vector<std::string> head;
  std::vector<std::vector<Cell>> rows;
};

// In a box of its own, which can be scrolled where the table is wider than the window.
std::string to_html(const Table& table);

// A part that is closed until somebody opens it; `summary` is plain text.
std::string details(std::string_view summary, const std::string& html);

std::string paragraph(std::string_view text);

// A heading with what belongs to it; `id` is a target of links.
std::string section(std::string_view id, std::string_view title, const std::string& html);

}  // namespace pdl::report
