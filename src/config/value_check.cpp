#include "value_check.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "pdl/base/error.h"
#include "pdl/base/regex.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

std::string range_text(const KeyRules& rules) {
  const std::string min = shown(rules.min);
  const std::string max = shown(rules.max);
  std::string text = rules.or_value ? shown(*rules.or_value) + " or " : "";
  if (std::isfinite(rules.min) && std::isfinite(rules.max)) {
    return text + "in " + (rules.open_min ? "(" : "[") + min + ", " + max +
           (rules.open_max ? ")" : "]");
  }
  if (std::isfinite(rules.min)) return text + (rules.open_min ? "> " : ">= ") + min;
  if (std::isfinite(rules.max)) return text + (rules.open_max ? "< " : "<= ") + max;
  return "";
}

// `text` shows the value in the message.
std::string number_problem(const KeyRules& rules, double value, const std::string& text) {
  const bool above_min = rules.open_min ? value > rules.min : value >= rules.min;
  const bool below_max = rules.open_max ? value < rules.max : value <= rules.max;
  if (!(above_min && below_max) && !(rules.or_value && value == *rules.or_value)) {
    return text + " is out of range; must be " + range_text(rules);
  }
  if (rules.whole_from_one && value >= 1 && value != std::floor(value)) {
    return text + " is not an integer; must be a share below 1 or an integer";
  }
  return "";
}

std::string regex_problem(const std::string& text) {
  if (text.size() > kMaxRegexBytes) {
    return shown(text) + " is longer than " + std::to_string(kMaxRegexBytes) + " bytes";
  }
  try {
    const Regex compiled(text);
  } catch (const ConfigError& problem) {
    return problem.what();
  }
  return "";
}

std::string text_problem(const ConfigKey& key, const std::string& text) {
  const KeyRules& rules = key.rules;
  if (text.size() > kMaxStringBytes) {
    return shown(text) + " is longer than " + std::to_string(kMaxStringBytes) + " bytes";
  }
  if (text.find('\0') != std::string::npos) return shown(text) + " holds a NUL character";
  if (find_invalid_utf8(text) != std::string_view::npos) return shown(text) + " is not UTF-8";
  if (rules.is_regex) return regex_problem(text);
  bool allowed = true;
  if (key.kind == KeyKind::kChoice) {
    allowed = std::find(key.choices.begin(), key.choices.end(), text) != key.choices.end();
  } else if (!rules.pattern.empty()) {
    allowed = Regex("^(?:" + std::string(rules.pattern) + ")\\z").search(text);
  } else if (!rules.words.empty()) {
    allowed = !text.empty();
  }
  return allowed ? "" : shown(text) + " is not allowed; must be " + allowed_values(key);
}

std::string list_problem(const ConfigKey& key, const std::vector<std::string>& list) {
  for (const std::string& entry : list) {
    if (entry.empty()) return "holds an empty string; must be " + allowed_values(key);
    std::string problem = text_problem(key, entry);
    if (!problem.empty()) return problem;
  }
  return "";
}

std::string words_text(std::span<const std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) {
    text += (text.empty() ? "" : ", ") + shown(std::string(word));
  }
  return text;
}

}  // namespace

std::string allowed_values(const ConfigKey& key) {
  const KeyRules& rules = key.rules;
  const std::string range = range_text(rules);
  const std::string in_range = range.empty() ? "" : (rules.or_value ? ", " : " ") + range;
  switch (key.kind) {
    case KeyKind::kBool:
      return "true or false";
    case KeyKind::kInteger:
      return "an integer" + in_range;
    case KeyKind::kNumber:
      return "a number" + in_range;
    case KeyKind::kChoice:
      return "one of " + words_text(key.choices);
    case KeyKind::kString:
      return rules.pattern.empty() ? "a string" : std::string(rules.pattern_text);
    case KeyKind::kPath:
      return rules.words.empty() ? "a path" : words_text(rules.words) + " or a path";
    case KeyKind::kStringList:
      return "a string or a list of non-empty strings";
    case KeyKind::kPathList:
      return "a path or a list of paths";
  }
  return "";
}

std::string value_problem(const ConfigKey& key, const ConfigValue& value) {
  switch (key.kind) {
    case KeyKind::kBool:
      return "";
    case KeyKind::kInteger:
      return number_problem(key.rules, static_cast<double>(std::get<int64_t>(value)), shown(value));
    case KeyKind::kNumber:
      return number_problem(key.rules, std::get<double>(value), shown(value));
    case KeyKind::kChoice:
    case KeyKind::kString:
    case KeyKind::kPath:
      return text_problem(key, std::get<std::string>(value));
    case KeyKind::kStringList:
    case KeyKind::kPathList:
      return list_problem(key, std::get<std::vector<std::string>>(value));
  }
  return "";
}

bool is_word(const KeyRules& rules, const std::string& text) {
  return std::find(rules.words.begin(), rules.words.end(), text) != rules.words.end();
}

std::string ending_problem(const ConfigKey& key, const std::vector<std::string>& paths) {
  const KeyRules& rules = key.rules;
  if (rules.endings.empty()) return "";
  for (const std::string& path : paths) {
    const bool allowed =
        is_word(rules, path) ||
        std::any_of(rules.endings.begin(), rules.endings.end(),
                    [&](const std::string_view ending) { return path.ends_with(ending); });
    if (allowed) continue;
    std::string text = shown(path) + " is not allowed; must end in ";
    for (const std::string_view ending : rules.endings) text += std::string(ending) + ", ";
    return text + "or be " + words_text(rules.words);
  }
  return "";
}

}  // namespace pdl
