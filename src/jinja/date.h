// Dates as text. Private to the module.
#pragma once

#include <string>
#include <string_view>

#include "pdl/jinja/template.h"

namespace pdl::jinja {

// Python's strftime() of the first moment of a day, in English. Fails for a directive that depends
// on more than the day, or is not known.
std::string formatted_date(const Date& date, std::string_view format);

}  // namespace pdl::jinja
