#include "config_flags.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <variant>

#include "pdl/config/config_table.h"

namespace pdl {
namespace {

constexpr int kMaxListValues = 1 << 24;

std::string type_name(const ConfigKey& key) {
  switch (key.kind) {
    case KeyKind::kBool:
      return "true|false";
    case KeyKind::kInteger:
      return "INTEGER";
    case KeyKind::kNumber:
      return "NUMBER";
    case KeyKind::kPath:
      return "PATH";
    case KeyKind::kPathList:
      return "PATH...";
    case KeyKind::kString:
      return "TEXT";
    case KeyKind::kStringList:
      return "TEXT...";
    case KeyKind::kChoice:
      break;
  }
  std::string names;
  for (const std::string_view name : key.choices) {
    names += (names.empty() ? "" : "|") + std::string(name);
  }
  return names;
}

// Returns "" if there is no default.
std::string default_text(const ConfigKey& key) {
  const ConfigValue value = default_value(key);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return std::holds_alternative<std::vector<std::string>>(value) ? "" : shown(value);
}

void add_config_flag(CLI::App& app, const ConfigKey& key, std::vector<FlagSetting>& settings) {
  const bool is_list = key.kind == KeyKind::kStringList || key.kind == KeyKind::kPathList;
  const std::string name(key.name);
  const auto store = [&settings, name, is_list](const CLI::results_t& values) {
    for (const std::string& value : values) {
      // CLI11 takes whatever follows a flag as its value.
      if (value.starts_with("--")) throw CLI::ArgumentMismatch("--" + name + " needs a value");
    }
    if (is_list) {
      settings.push_back({name, values});
    } else {
      for (const std::string& value : values) settings.push_back({name, {value}});
    }
    return true;
  };
  CLI::Option* option = app.add_option("--" + name, store, std::string(key.help));
  option->type_name(type_name(key))
      ->default_str(default_text(key))
      ->expected(1, is_list ? kMaxListValues : 1)
      // Otherwise CLI11 splits "[a,b]", which may be a glob or a regular expression.
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(std::string(group_title(key.group)));
}

}  // namespace

void add_config_flags(CLI::App& app, std::span<const std::string_view> keys,
                      std::vector<FlagSetting>& settings) {
  for (const std::string_view name : keys) {
    if (find_config_key(name) == nullptr) {
      throw std::logic_error("no such key: " + std::string(name));
    }
  }
  for (const ConfigKey& key : config_keys()) {
    const bool is_asked = std::find(keys.begin(), keys.end(), key.name) != keys.end();
    if (keys.empty() || is_asked) add_config_flag(app, key, settings);
  }
}

}  // namespace pdl
