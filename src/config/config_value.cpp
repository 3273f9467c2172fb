#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "pdl/base/text_format.h"
#include "pdl/base/unicode.h"
#include "pdl/config/config_table.h"

namespace pdl {
namespace {

std::string in_quotes(std::string_view text) { return '"' + printable(text) + '"'; }

std::string list_text(const std::vector<std::string>& list) {
  constexpr size_t kMaxBytes = 80;
  std::string text = "[";
  for (const std::string& entry : list) {
    if (text.size() > 1) text += ", ";
    if (text.size() > kMaxBytes) return text + "…]";
    text += in_quotes(entry);
  }
  return text + "]";
}

}  // namespace

bool is_set(const ConfigValue& value) {
  return std::visit(
      [](const auto& held) {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_arithmetic_v<Held>) {
          return held > Held{};
        } else {
          return !held.empty();
        }
      },
      value);
}

std::string shown(const ConfigValue& value) {
  return std::visit(
      [](const auto& held) -> std::string {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, bool>) {
          return held ? "true" : "false";
        } else if constexpr (std::is_same_v<Held, int64_t>) {
          return std::to_string(held);
        } else if constexpr (std::is_same_v<Held, double>) {
          return shortest_decimal(held);
        } else if constexpr (std::is_same_v<Held, std::string>) {
          return in_quotes(held);
        } else {
          return list_text(held);
        }
      },
      value);
}

}  // namespace pdl
