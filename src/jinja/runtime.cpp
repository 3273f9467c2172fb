#include "runtime.h"

#include <algorithm>

#include "budget.h"
#include "pdl/base/unicode.h"

namespace pdl::jinja {

const Value* Namespace::find(std::string_view name) const {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const auto& member) { return member.first == name; });
  return found == members.end() ? nullptr : &found->second;
}

void Namespace::set(const std::string& name, Value value) {
  if (name.starts_with('_')) {
    fail("gives a namespace the member '" + printable(name, 60) + "', which is not allowed");
  }
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const auto& member) { return member.first == name; });
  if (found != members.end()) {
    found->second = std::move(value);
  } else {
    members.emplace_back(name, std::move(value));
  }
}

const Value* Frame::find(Symbol symbol) const {
  for (const Frame* frame = this; frame != nullptr; frame = frame->parent_) {
    for (const auto& [name, value] : frame->values_) {
      if (name == symbol) return &value;
    }
  }
  return nullptr;
}

void Frame::set(Symbol symbol, Value value) {
  for (auto& [name, old] : values_) {
    if (name != symbol) continue;
    old = std::move(value);
    return;
  }
  values_.emplace_back(symbol, std::move(value));
}

void Frame::clear() {
  values_.clear();
  for (Macro* macro : macros_) macro->frame = nullptr;
  macros_.clear();
}

}  // namespace pdl::jinja
