// Gives the arguments of a call to the parameters of a function. Private to the module.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "budget.h"
#include "filters.h"

namespace pdl::jinja {

// The arguments of a call by the parameters' order. Fails for too many, for a name that is none of
// the parameters', and for one that is given twice.
class BoundArguments {
 public:
  BoundArguments(std::string_view function, const CallArguments& arguments,
                 const std::vector<std::string_view>& parameters);

  // nullptr: not given.
  const Value* find(size_t parameter) const {
    return values_[parameter] ? &*values_[parameter] : nullptr;
  }
  const Value& required(size_t parameter) const;
  bool flag(size_t parameter, bool fallback) const;
  int64_t integer(size_t parameter, int64_t fallback) const;
  // None and what is not given are nullptr. Fails for what is no string.
  const Text* text(size_t parameter) const;

 private:
  [[noreturn]] void fail_at(size_t parameter, const std::string& problem) const;

  std::string function_;
  std::vector<std::string_view> parameters_;
  std::vector<std::optional<Value>> values_;
};

}  // namespace pdl::jinja
