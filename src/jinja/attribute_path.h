// Members of members, as the argument `attribute` of filters names them. Private to the module.
#pragma once

#include <optional>
#include <vector>

#include "budget.h"
#include "pdl/jinja/value.h"

namespace pdl::jinja {

// "address.city" or "0.name"; a path of no parts is the value itself.
class AttributePath {
 public:
  AttributePath() = default;
  explicit AttributePath(const Value& written);

  // `fallback`, if it is there and not None, stands for what is undefined.
  Value of(const Value& value, const Value* fallback = nullptr) const;

 private:
  std::vector<Value> parts_;
};

// A string in lower case; any other value as it is.
Value without_case(const Value& value);

}  // namespace pdl::jinja
