// Values as text. Private to the module.
#pragma once

#include <optional>
#include <string>

#include "budget.h"
#include "pdl/jinja/value.h"

namespace pdl::jinja {

// Python's str(): how a value is rendered. Fails for kinds whose text would name a place in memory.
Text to_text(const Value& value, Budget& budget);
// The same without a copy for a string.
std::shared_ptr<const Text> to_shared_text(const Value& value, Budget& budget);

// Python's repr() of a floating-point number.
std::string repr_of(double number);

// How json.dumps() is called.
struct JsonStyle {
  bool ascii = false;
  std::optional<std::string> indent;  // of one level
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sorts_keys = false;
};

Text to_json(const Value& value, const JsonStyle& style, Budget& budget);

}  // namespace pdl::jinja
