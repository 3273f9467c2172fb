#include "date.h"

#include <array>
#include <chrono>
#include <cstdio>

#include "budget.h"
#include "pdl/base/unicode.h"

namespace pdl::jinja {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};

std::string digits(int number, int width) {
  std::string text = std::to_string(number);
  while (std::ssize(text) < width) text.insert(0, "0");
  return text;
}

int day_of_year(const Date& date) {
  using namespace std::chrono;
  const auto day = year_month_day{year{date.year}, month{static_cast<unsigned>(date.month)},
                                  std::chrono::day{static_cast<unsigned>(date.day)}};
  const auto first = year_month_day{year{date.year}, January, std::chrono::day{1}};
  return static_cast<int>((sys_days{day} - sys_days{first}).count()) + 1;
}

size_t day_of_week(const Date& date) {
  using namespace std::chrono;
  const auto day = year_month_day{year{date.year}, month{static_cast<unsigned>(date.month)},
                                  std::chrono::day{static_cast<unsigned>(date.day)}};
  return weekday{sys_days{day}}.c_encoding();
}

std::string directive(const Date& date, char letter, bool is_short) {
  const int width = is_short ? 0 : 2;
  const std::string_view month = kMonths[static_cast<size_t>(date.month) - 1];
  switch (letter) {
    case 'Y':
      return std::to_string(date.year);
    case 'y':
      return digits(date.year % 100, width);
    case 'm':
      return digits(date.month, width);
    case 'd':
      return digits(date.day, width);
    case 'e':
      return (date.day < 10 && !is_short ? " " : "") + std::to_string(date.day);
    case 'j':
      return digits(day_of_year(date), is_short ? 0 : 3);
    case 'B':
      return std::string(month);
    case 'b':
    case 'h':
      return std::string(month.substr(0, 3));
    case 'A':
      return std::string(kDays[day_of_week(date)]);
    case 'a':
      return std::string(kDays[day_of_week(date)].substr(0, 3));
    case 'H':
    case 'M':
    case 'S':
      return digits(0, is_short ? 1 : 2);
    case 'I':
      return "12";
    case 'p':
      return "AM";
    case 'F':
      return directive(date, 'Y', false) + "-" + directive(date, 'm', false) + "-" +
             directive(date, 'd', false);
    case 'D':
      return directive(date, 'm', false) + "/" + directive(date, 'd', false) + "/" +
             directive(date, 'y', false);
    case 'T':
      return "00:00:00";
    case '%':
      return "%";
    default:
      fail(std::string("formats a date with %") + printable(std::string_view(&letter, 1)) +
           ", which is not supported");
  }
}

}  // namespace

std::string formatted_date(const Date& date, std::string_view format) {
  std::string text;
  for (size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%') {
      text += format[at];
      continue;
    }
    ++at;
    const bool is_short = at < format.size() && format[at] == '-';
    if (is_short) ++at;
    if (at == format.size()) fail("formats a date with a % at the end, which is not supported");
    text += directive(date, format[at], is_short);
  }
  return text;
}

}  // namespace pdl::jinja
