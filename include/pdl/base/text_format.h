// Formats numbers for people, whatever the locale.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pdl {

// 3.14159 with 2 digits after the point -> "3.14".
std::string fixed(double value, int digits);
// 1234.5 with 3 significant digits -> "1.23e+03".
std::string significant(double value, int digits);
// The shortest decimal that reads back as the number, as Python writes it but without ".0": "0.25",
// "1", "0.0001", "5e-05".
std::string shortest_decimal(double value);
// 1234567 -> "1,234,567". A double is rounded to an integer, or shown with 4 significant digits if
// it is too large for that.
std::string grouped(int64_t value);
std::string grouped(double value);
// "59 s", "2 min 5 s", "3 h 7 min"; "?" for a value that is negative, not finite or longer than a
// century.
std::string duration(double seconds);
// 0.1234 -> "12.3 %".
std::string percent(double share);
// Text and values of attributes of HTML and XML: & < > " and ' as entities.
std::string escape_markup(std::string_view text);

}  // namespace pdl
