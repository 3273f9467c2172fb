#include "call_arguments.h"

#include <algorithm>

#include "operations.h"
#include "pdl/base/unicode.h"

namespace pdl::jinja {

BoundArguments::BoundArguments(std::string_view function, const CallArguments& arguments,
                               const std::vector<std::string_view>& parameters)
    : function_(function), parameters_(parameters), values_(parameters.size()) {
  if (arguments.positional.size() > parameters.size()) {
    fail("gives " + std::to_string(arguments.positional.size()) + " arguments to " + function_ +
         ", which takes " + std::to_string(parameters.size()));
  }
  std::copy(arguments.positional.begin(), arguments.positional.end(), values_.begin());
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::find(parameters_.begin(), parameters_.end(), name);
    if (found == parameters_.end()) {
      fail("gives " + function_ + " the argument '" + printable(name, 40) +
           "', which is not supported");
    }
    auto& place = values_[static_cast<size_t>(found - parameters_.begin())];
    if (place) fail("gives " + function_ + " the argument '" + name + "' twice");
    place = value;
  }
}

void BoundArguments::fail_at(size_t parameter, const std::string& problem) const {
  fail("gives " + function_ + " an argument '" + std::string(parameters_[parameter]) +
       "' that is " + problem);
}

const Value& BoundArguments::required(size_t parameter) const {
  if (!values_[parameter]) fail_at(parameter, "missing");
  return *values_[parameter];
}

bool BoundArguments::flag(size_t parameter, bool fallback) const {
  return values_[parameter] ? is_true(*values_[parameter]) : fallback;
}

int64_t BoundArguments::integer(size_t parameter, int64_t fallback) const {
  if (!values_[parameter]) return fallback;
  const auto number = values_[parameter]->integer();
  if (!number) fail_at(parameter, kind_of(*values_[parameter]) + ", not an integer");
  return *number;
}

const Text* BoundArguments::text(size_t parameter) const {
  if (!values_[parameter] || values_[parameter]->is_none()) return nullptr;
  const Text* text = values_[parameter]->text();
  if (text == nullptr) fail_at(parameter, kind_of(*values_[parameter]) + ", not a string");
  return text;
}

}  // namespace pdl::jinja
