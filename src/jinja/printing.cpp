#include "printing.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "characters.h"
#include "operations.h"
#include "text_builder.h"

namespace pdl::jinja {
namespace {

// Python's str.isprintable() of one character.
bool is_printable(int32_t character) {
  if (character == ' ') return true;
  switch (u_charType(character)) {
    case U_CONTROL_CHAR:
    case U_FORMAT_CHAR:
    case U_SURROGATE:
    case U_PRIVATE_USE_CHAR:
    case U_UNASSIGNED:
    case U_LINE_SEPARATOR:
    case U_PARAGRAPH_SEPARATOR:
    case U_SPACE_SEPARATOR:
      return false;
    default:
      return true;
  }
}

void append_hex(const char* format, int32_t number, std::string& text) {
  char buffer[16];
  const int size = std::snprintf(buffer, sizeof buffer, format, static_cast<unsigned>(number));
  text.append(buffer, static_cast<size_t>(size));
}

// Python's repr() of a string.
Text repr_of(const Text& text) {
  const bool has_single = text.bytes.find('\'') != std::string::npos;
  const char quote = has_single && text.bytes.find('"') == std::string::npos ? '"' : '\'';
  std::string inner;
  for (size_t at = 0; at < text.bytes.size();) {
    const size_t before = at;
    const int32_t character = next_character(text.bytes, at);
    if (character == quote || character == '\\') {
      inner += '\\';
      inner += static_cast<char>(character);
    } else if (character == '\n') {
      inner += "\\n";
    } else if (character == '\r') {
      inner += "\\r";
    } else if (character == '\t') {
      inner += "\\t";
    } else if (is_printable(character)) {
      inner.append(text.bytes, before, at - before);
    } else if (character < 0x100) {
      append_hex("\\x%02x", character, inner);
    } else if (character < 0x10000) {
      append_hex("\\u%04x", character, inner);
    } else {
      append_hex("\\U%08x", character, inner);
    }
  }
  Text result{std::string(1, quote)};
  result.append(inner == text.bytes ? Text{text.bytes, text.spans}
                                    : computed_from(text, std::move(inner)));
  result.append(std::string_view(&quote, 1));
  return result;
}

// The characters of a JSON string, without its quotes.
Text json_of(const Text& text, bool ascii) {
  std::string inner;
  for (size_t at = 0; at < text.bytes.size();) {
    const size_t before = at;
    const int32_t character = next_character(text.bytes, at);
    constexpr std::string_view kPlain = "\"\\\n\r\t\f\b";
    constexpr std::string_view kLetters = "\"\\nrtfb";
    const size_t simple =
        character < 0x80 ? kPlain.find(static_cast<char>(character)) : std::string_view::npos;
    if (simple != std::string_view::npos) {
      inner += '\\';
      inner += kLetters[simple];
    } else if (character < 0x20 || (ascii && character >= 0x7f && character < 0x10000)) {
      append_hex("\\u%04x", character, inner);
    } else if (ascii && character >= 0x10000) {
      append_hex("\\u%04x", 0xd800 + ((character - 0x10000) >> 10), inner);
      append_hex("\\u%04x", 0xdc00 + ((character - 0x10000) & 0x3ff), inner);
    } else {
      inner.append(text.bytes, before, at - before);
    }
  }
  return inner == text.bytes ? Text{text.bytes, text.spans} : computed_from(text, std::move(inner));
}

class Printer {
 public:
  explicit Printer(Budget& budget) : budget_(budget), out_(budget) {}

  Text take() { return out_.take(); }

 protected:
  void put(std::string_view bytes) { out_.append(bytes); }
  void put(const Text& text) { out_.append(text); }

  Budget& budget_;

 private:
  TextBuilder out_;
};

class ReprPrinter : public Printer {
 public:
  using Printer::Printer;

  void print(const Value& value) {
    if (value.text() != nullptr) {
      if (value.text()->is_markup) fail("prints a list of safe texts, which is not supported");
      return put(repr_of(*value.text()));
    }
    if (value.is_undefined()) return put("Undefined");
    if (value.sequence() != nullptr) return print_sequence(*value.sequence());
    if (value.dict() != nullptr) return print_dict(*value.dict());
    put(to_text(value, budget_));
  }

 private:
  void print_sequence(const Sequence& sequence) {
    using Kind = Sequence::Kind;
    if (sequence.kind == Kind::kRange || sequence.kind == Kind::kView) {
      fail("prints a range or a view of a dict, which is not supported; use the filter list");
    }
    const bool is_tuple = sequence.kind == Kind::kTuple;
    put(is_tuple ? "(" : "[");
    for (size_t i = 0; i < sequence.items.size(); ++i) {
      if (i > 0) put(", ");
      print(sequence.items[i]);
    }
    put(is_tuple ? (sequence.items.size() == 1 ? ",)" : ")") : "]");
  }
  void print_dict(const Dict& dict) {
    put("{");
    bool is_first = true;
    for (const auto& [key, value] : dict.members()) {
      if (!std::exchange(is_first, false)) put(", ");
      print(key);
      put(": ");
      print(value);
    }
    put("}");
  }
};

class JsonPrinter : public Printer {
 public:
  JsonPrinter(const JsonStyle& style, Budget& budget) : Printer(budget), style_(style) {}

  void print(const Value& value, size_t level = 0) {
    if (value.text() != nullptr) {
      put("\"");
      put(json_of(*value.text(), style_.ascii));
      return put("\"");
    }
    if (value.dict() != nullptr) return print_dict(*value.dict(), level);
    const Sequence* sequence = value.sequence();
    if (sequence != nullptr &&
        (sequence->kind == Sequence::Kind::kList || sequence->kind == Sequence::Kind::kTuple)) {
      return print_list(sequence->items, level);
    }
    if (const auto scalar = scalar_of(value)) return put(*scalar);
    require_defined(value);
    fail("makes JSON of " + kind_of(value));
  }

 private:
  static std::optional<std::string> scalar_of(const Value& value) {
    if (value.is_none()) return "null";
    if (const bool* flag = value.get<bool>()) return *flag ? "true" : "false";
    if (const int64_t* number = value.get<int64_t>()) return std::to_string(*number);
    if (const double* number = value.get<double>()) {
      if (std::isnan(*number)) return "NaN";
      if (std::isinf(*number)) return *number > 0 ? "Infinity" : "-Infinity";
      return pdl::jinja::repr_of(*number);
    }
    return std::nullopt;
  }

  void new_line(size_t level) {
    if (!style_.indent) return;
    put("\n");
    for (size_t i = 0; i < level; ++i) put(*style_.indent);
  }

  void print_list(const std::vector<Value>& items, size_t level) {
    if (items.empty()) return put("[]");
    put("[");
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) put(style_.item_separator);
      new_line(level + 1);
      print(items[i], level + 1);
    }
    new_line(level);
    put("]");
  }

  void print_dict(const Dict& dict, size_t level) {
    if (dict.members().empty()) return put("{}");
    std::vector<std::pair<Value, Value>> members = dict.members();
    if (style_.sorts_keys) {
      std::stable_sort(members.begin(), members.end(), [&](const auto& left, const auto& right) {
        return is_less(left.first, right.first, budget_);
      });
    }
    put("{");
    for (size_t i = 0; i < members.size(); ++i) {
      if (i > 0) put(style_.item_separator);
      new_line(level + 1);
      const auto scalar = scalar_of(members[i].first);
      if (!scalar && members[i].first.text() == nullptr) {
        fail("makes JSON of a dict whose key is " + kind_of(members[i].first));
      }
      print(scalar ? Value::string(*scalar) : members[i].first, level + 1);
      put(style_.key_separator);
      print(members[i].second, level + 1);
    }
    new_line(level);
    put("}");
  }

  const JsonStyle& style_;
};

}  // namespace

std::string repr_of(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  char buffer[64];
  // Python writes an exponent below 1e-4 and from 1e16 on.
  const double size = std::fabs(number);
  const bool is_plain = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, number,
                    is_plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string written(buffer, end.ptr);
  if (is_plain && written.find('.') == std::string::npos) written += ".0";
  return written;
}

std::shared_ptr<const Text> to_shared_text(const Value& value, Budget& budget) {
  if (const auto* text = value.get<std::shared_ptr<const Text>>()) return *text;
  return std::make_shared<const Text>(to_text(value, budget));
}

Text to_text(const Value& value, Budget& budget) {
  if (value.text() != nullptr) return *value.text();
  if (value.is_undefined()) return {};
  if (value.is_none()) return {"None"};
  if (const bool* flag = value.get<bool>()) return {*flag ? "True" : "False"};
  if (const int64_t* number = value.get<int64_t>()) return {std::to_string(*number)};
  if (const double* number = value.get<double>()) return {repr_of(*number)};
  if (value.sequence() == nullptr && value.dict() == nullptr) {
    fail("prints " + kind_of(value) + ", which is not supported");
  }
  ReprPrinter printer(budget);
  printer.print(value);
  return printer.take();
}

Text to_json(const Value& value, const JsonStyle& style, Budget& budget) {
  JsonPrinter printer(style, budget);
  printer.print(value);
  return printer.take();
}

}  // namespace pdl::jinja
