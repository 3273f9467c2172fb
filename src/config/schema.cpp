#include "pdl/config/schema.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>

#include "pdl/config/config_table.h"
#include "value_check.h"
#include "value_json.h"

namespace pdl {
namespace {

using Json = nlohmann::ordered_json;

// Writes integers without a decimal point, because some readers would take 1.0 for a float.
Json number(double value) {
  if (std::abs(value) < 1e16 && value == std::floor(value)) return static_cast<int64_t>(value);
  return value;
}

void add_range(const KeyRules& rules, Json& schema) {
  Json range = Json::object();
  if (std::isfinite(rules.min)) {
    range[rules.open_min ? "exclusiveMinimum" : "minimum"] = number(rules.min);
  }
  if (std::isfinite(rules.max)) {
    range[rules.open_max ? "exclusiveMaximum" : "maximum"] = number(rules.max);
  }
  if (rules.or_value) {
    schema["anyOf"] = Json::array({{{"const", number(*rules.or_value)}}, range});
  } else {
    schema.update(range);
  }
  if (rules.whole_from_one) {
    schema["anyOf"] = Json::array({{{"exclusiveMaximum", 1}}, {{"multipleOf", 1}}});
  }
}

// Accepts one of the words and a path with one of the endings; in a list also a glob, or "", which
// may mean no path.
std::string pattern_of(const KeyRules& rules, bool is_list) {
  std::string pattern = is_list ? "^$|[*?\\[]" : "^$";
  for (const std::string_view word : rules.words) pattern += "|^" + std::string(word) + "$";
  for (const std::string_view ending : rules.endings) {
    pattern += '|';
    for (const char c : ending) pattern += c == '.' ? std::string("\\.") : std::string(1, c);
    pattern += '$';
  }
  return pattern;
}

Json string_schema(const ConfigKey& key) {
  Json schema{{"type", "string"}};
  if (key.kind == KeyKind::kChoice) schema["enum"] = key.choices;
  if (std::ranges::find(key.choices, "true") != key.choices.end()) {  // so is the boolean
    schema["type"] = {"string", "boolean"};
    schema["enum"].insert(schema["enum"].end(), {true, false});
  }
  if (!key.rules.pattern.empty()) schema["pattern"] = key.rules.pattern;
  if (!key.rules.endings.empty())
    schema["pattern"] = pattern_of(key.rules, key.kind == KeyKind::kPathList);
  const bool is_word_or_path = key.kind == KeyKind::kPath && !key.rules.words.empty();
  if (is_word_or_path || key.rules.required) schema["minLength"] = 1;
  if (key.kind != KeyKind::kChoice) {
    schema["maxLength"] = key.rules.is_regex ? kMaxRegexBytes : kMaxStringBytes;
  }
  return schema;
}

// A list may be given as one string; "" is the empty list.
Json list_schema(const ConfigKey& key) {
  const Json one = string_schema(key);
  Json entry = one;
  entry["minLength"] = 1;
  Json list{{"type", "array"}, {"items", entry}};
  if (key.rules.required) list["minItems"] = 1;
  return {{"anyOf", Json::array({one, list})}};
}

Json value_schema(const ConfigKey& key) {
  Json schema;
  switch (key.kind) {
    case KeyKind::kBool:
      return {{"type", "boolean"}};
    case KeyKind::kInteger:
      schema["type"] = "integer";
      add_range(key.rules, schema);
      if (!std::isfinite(key.rules.max)) schema["maximum"] = std::numeric_limits<int64_t>::max();
      return schema;
    case KeyKind::kNumber:
      schema["type"] = "number";
      add_range(key.rules, schema);
      return schema;
    case KeyKind::kChoice:
    case KeyKind::kString:
    case KeyKind::kPath:
      return string_schema(key);
    case KeyKind::kStringList:
    case KeyKind::kPathList:
      return list_schema(key);
  }
  return schema;
}

Json key_schema(const ConfigKey& key) {
  const Json default_json = to_json(default_value(key));
  Json schema = value_schema(key);
  if (!key.rules.required) schema["default"] = default_json;
  schema["description"] =
      std::string(key.help) + (key.details.empty() ? "" : ". " + std::string(key.details));
  return schema;
}

// True if the key is given and is_set(). Each keyword of a schema applies only to values of its own
// type.
Json set_schema(std::string_view key) {
  return {{"properties", {{key, {{"$ref", "#/$defs/set"}}}}}, {"required", {key}}};
}

Json relation_schema(const KeyRelation& relation) {
  const Json other = set_schema(relation.other);
  const bool needs = relation.type == KeyRelation::Type::kNeeds;
  return {{"if", set_schema(relation.key)}, {"then", needs ? other : Json{{"not", other}}}};
}

}  // namespace

std::string config_schema_json() {
  Json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
              {"title", "run.json of pdl-train"},
              {"type", "object"}};
  Json& properties = schema["properties"];
  Json required = Json::array();
  for (const ConfigKey& key : config_keys()) {
    properties[std::string(key.name)] = key_schema(key);
    if (key.rules.required) required.push_back(key.name);
  }
  schema["required"] = required;
  schema["additionalProperties"] = false;
  Json& relations = schema["allOf"];
  for (const KeyRelation& relation : key_relations()) {
    relations.push_back(relation_schema(relation));
  }
  schema["$defs"]["set"] = {{"exclusiveMinimum", 0}, {"minLength", 1}, {"minItems", 1}};
  return schema.dump(2) + "\n";
}

}  // namespace pdl
