#include "markup.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "pdl/base/text_format.h"

namespace pdl::report {
namespace {

constexpr UChar32 kBrailleBlank = 0x2800;

bool is_hidden(UChar32 character) {
  const bool has_no_shape =
      (U_GET_GC_MASK(character) & (U_GC_C_MASK | U_GC_ZL_MASK | U_GC_ZP_MASK)) != 0;
  return has_no_shape || character == kBrailleBlank ||
         u_hasBinaryProperty(character, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) != 0;
}

std::string escape_of(UChar32 character) {
  std::array<char, 16> buffer{};
  const char* format = character > 0xffff ? "\\U%08x" : "\\u%04x";
  std::snprintf(buffer.data(), buffer.size(), format, static_cast<unsigned>(character));
  return buffer.data();
}

std::string escape_of(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    std::array<char, 8> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "\\x%02x", static_cast<unsigned char>(byte));
    text += buffer.data();
  }
  return text;
}

// Calls visit(piece) with what each character looks like.
template <class Visitor>
void for_each_visible(std::string_view text, Visitor visit) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto length = static_cast<int64_t>(text.size());
  int64_t at = 0;
  while (at < length) {
    const int64_t begin = at;
    UChar32 character = 0;
    U8_NEXT(bytes, at, length, character);
    const std::string_view piece =
        text.substr(static_cast<size_t>(begin), static_cast<size_t>(at - begin));
    if (character < 0) {
      visit(escape_of(piece));
    } else {
      visit(is_hidden(character) ? escape_of(character) : std::string(piece));
    }
  }
}

std::string row_of(const std::vector<Cell>& cells) {
  std::string html = "<tr>";
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string kind = cells[i].is_number ? " class=\"n\"" : "";
    html += i == 0 ? "<th scope=\"row\"" + kind + ">" + cells[i].html + "</th>"
                   : "<td" + kind + ">" + cells[i].html + "</td>";
  }
  return html + "</tr>\n";
}

}  // namespace

std::string visible(std::string_view text) {
  std::string result;
  for_each_visible(text, [&](const std::string& piece) { result += piece; });
  return result;
}

std::string escape(std::string_view text) { return escape_markup(visible(text)); }

std::string escape_lines(std::string_view text) {
  std::string html;
  while (true) {
    const size_t end = text.find('\n');
    html += escape(text.substr(0, end));
    if (end == std::string_view::npos) return html;
    html += "<br>";
    text.remove_prefix(end + 1);
  }
}

std::string shortened(std::string_view text, size_t max_characters) {
  std::string result;
  size_t characters = 0;
  for_each_visible(text, [&](const std::string& piece) {
    if (characters < max_characters) result += piece;
    if (characters == max_characters) result += "…";
    ++characters;
  });
  return result;
}

std::string decimals(double value, int digits) {
  if (!std::isfinite(value)) return std::string(kNone);
  std::string text = fixed(value, digits);
  const bool is_zero = text.find_first_of("123456789") == std::string::npos;
  if (is_zero && text.starts_with('-')) text.erase(0, 1);
  return text;
}

std::string decimals(const std::optional<double>& value, int digits) {
  return value ? decimals(*value, digits) : std::string(kNone);
}

std::string count(const std::optional<int64_t>& value) {
  return value ? grouped(*value) : std::string(kNone);
}

std::string share(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? percent(*value) : std::string(kNone);
}

std::string counted(size_t number, const std::string& noun) {
  return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

Cell text_cell(std::string_view text) { return {.html = escape(text), .is_number = false}; }

Cell number_cell(const std::string& text) { return {.html = escape(text), .is_number = true}; }

std::string to_html(const Table& table) {
  std::string html = "<div class=\"box\" role=\"region\" tabindex=\"0\" aria-label=\"" +
                     escape(table.caption) + "\">\n<table>\n<caption>" + escape(table.caption) +
                     "</caption>\n<thead><tr>";
  for (size_t i = 0; i < table.head.size(); ++i) {
    const bool is_number = !table.rows.empty() && table.rows.front()[i].is_number;
    html += std::string("<th scope=\"col\"") + (is_number ? " class=\"n\">" : ">") +
            escape(table.head[i]) + "</th>";
  }
  html += "</tr></thead>\n<tbody>\n";
  for (const std::vector<Cell>& row : table.rows) html += row_of(row);
  return html + "</tbody>\n</table>\n</div>\n";
}

std::string details(std::string_view summary, const std::string& html) {
  return "<details>\n<summary>" + escape(summary) + "</summary>\n" + html + "</details>\n";
}

std::string paragraph(std::string_view text) { return "<p>" + escape(text) + "</p>\n"; }

std::string section(std::string_view id, std::string_view title, const std::string& html) {
  return "<section id=\"" + std::string(id) + "\">\n<h2>" + escape(title) + "</h2>\n" + html +
         "</section>\n";
}

}  // namespace pdl::report
