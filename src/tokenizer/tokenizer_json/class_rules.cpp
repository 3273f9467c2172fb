#include "class_rules.h"

#include <string_view>

namespace pdl::tokenizer_json {
namespace {

// Of Qwen2Tokenizer.
constexpr std::string_view kQwenPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// The member, or null.
const JsonValue& member(const JsonValue& object, std::string_view key) {
  static const JsonValue kNull;
  for (size_t i = 0; i < object.keys().size(); ++i) {
    if (object.keys()[i] == key) return object.items()[i];
  }
  return kNull;
}

bool is_text(const JsonValue& value, std::string_view text) {
  return value.is_string() && value.text() == text;
}

bool is_type(const JsonValue& object, std::string_view type) {
  return is_text(member(object, "type"), type);
}

bool is_false(const JsonValue& value) {
  return value.is(JsonValue::Kind::kBoolean) && !value.boolean();
}

bool has_rules_of_gpt2(const JsonValue& document) {
  const JsonValue& pre_tokenizer = member(document, "pre_tokenizer");
  return member(document, "normalizer").is(JsonValue::Kind::kNull) &&
         is_type(pre_tokenizer, "ByteLevel") && is_false(member(pre_tokenizer, "add_prefix_space"));
}

bool has_rules_of_qwen2(const JsonValue& document) {
  const std::vector<JsonValue>& steps =
      member(member(document, "pre_tokenizer"), "pretokenizers").items();
  if (!is_type(member(document, "normalizer"), "NFC") || steps.size() != 2) return false;
  return is_type(steps[0], "Split") &&
         is_text(member(member(steps[0], "pattern"), "Regex"), kQwenPattern) &&
         is_type(steps[1], "ByteLevel") && is_false(member(steps[1], "add_prefix_space"));
}

}  // namespace

std::string class_rules_note(const JsonValue& document, const TokenizerConfig& config) {
  const JsonValue& value = member(config.root, "tokenizer_class");
  if (!value.is_string()) return "";
  std::string name = value.text();
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  const bool differs = (name == "GPT2Tokenizer" && !has_rules_of_gpt2(document)) ||
                       (name == "Qwen2Tokenizer" && !has_rules_of_qwen2(document));
  if (!differs) return "";
  return "tokenizer_config.json has the tokenizer_class " + name +
         ", for which transformers 5 cuts text by rules of the class; tokenizer.json has others, "
         "which count here: ids may differ from those of transformers";
}

}  // namespace pdl::tokenizer_json
