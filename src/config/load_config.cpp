#include "pdl/config/load_config.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "config_paths.h"
#include "json_object.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/base/nearest_name.h"
#include "pdl/base/unicode.h"
#include "pdl/config/config_table.h"
#include "raw_value.h"
#include "value_check.h"
#include "value_json.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxFileBytes = 1 << 20;
// The limit is for unknown keys alone: all other problems are listed.
constexpr size_t kMaxUnknownKeys = 100;

// The source of a value.
struct Source {
  std::string prefix;         // of the key in messages: "--" for flags
  fs::path folder;            // absolute; base of relative paths
  std::string shown_as = {};  // the whole name of the key in messages, unless empty
};

struct Setting {
  ConfigValue value;
  Source source;
};

struct Problem {
  std::string text;
  bool is_of_file;
};

// Collects settings and problems, first from the file, then from the flags; finish() turns them
// into the config.
class ConfigBuilder {
 public:
  // `file_name` is "" if there are only flags. Stored paths are final and not looked up again.
  ConfigBuilder(std::string file_name, bool is_stored)
      : file_name_(std::move(file_name)), is_stored_(is_stored) {}

  void add_file(std::string_view text, const Source& source);
  void add_flags(const std::vector<FlagSetting>& flags, const Source& source);
  RunConfig finish(const std::vector<std::string_view>& required_keys);

 private:
  void add_problem(const Source& source, std::string_view key, const std::string& text);
  void add_conversion(const Source& source, const ConfigKey& key, const Conversion& conversion);
  void apply(const ConfigKey& key, const Setting& setting);
  std::string resolve(const ConfigKey& key, const Source& source, ConfigValue& value) const;
  void warn_of_repeated_file(const ConfigKey& key, const Source& source,
                             const ConfigValue& value) const;
  bool needs_tokenizer() const;
  void default_to_own_tokenizer();
  void check_required(const std::vector<std::string_view>& required_keys);
  void check_relation(const KeyRelation& relation);
  Source source_of(const ConfigKey& key) const;
  bool is_bad(std::string_view key) const { return bad_keys_.contains(std::string(key)); }
  [[noreturn]] void throw_problems() const;

  std::string file_name_;
  bool is_stored_;
  bool is_cut_short_ = false;  // the rest of the file is unknown
  size_t num_unknown_keys_ = 0;
  std::map<std::string_view, Setting> settings_;
  std::vector<Problem> problems_;
  std::set<std::string> bad_keys_;
  RunConfig config_;
};

std::string unknown_key_problem(const std::string& key) {
  std::vector<std::string_view> names;
  for (const ConfigKey& known : config_keys()) names.push_back(known.name);
  const std::string nearest = nearest_name(key, names);
  return nearest.empty() ? "unknown key" : "unknown key; did you mean \"" + nearest + "\"?";
}

Problem problem_of(const Source& source, std::string_view key, const std::string& text) {
  const std::string name =
      source.shown_as.empty() ? source.prefix + printable(key) : source.shown_as;
  return {name + ": " + text, source.prefix.empty()};
}

void ConfigBuilder::add_problem(const Source& source, std::string_view key,
                                const std::string& text) {
  problems_.push_back(problem_of(source, key, text));
  bad_keys_.emplace(key);
}

void ConfigBuilder::add_conversion(const Source& source, const ConfigKey& key,
                                   const Conversion& conversion) {
  if (conversion.value) {
    settings_.insert_or_assign(key.name, Setting{*conversion.value, source});
  } else {
    add_problem(source, key.name, conversion.problem);
  }
}

void ConfigBuilder::add_file(std::string_view text, const Source& source) {
  const JsonObject object = read_json_object(text);
  std::set<std::string> duplicates;
  for (const JsonEntry& entry : object.entries) {
    const ConfigKey* key = find_config_key(entry.key);
    // The entry in which reading stopped has no value; its problem is that of the object.
    if (entry.text.empty()) continue;
    if (key == nullptr && ++num_unknown_keys_ > kMaxUnknownKeys) continue;
    if (entry.is_duplicate) {
      if (!duplicates.insert(entry.key).second) continue;
      add_problem(source, entry.key, entry.text + " is a second value; give each key once");
    } else if (key == nullptr) {
      add_problem(source, entry.key, unknown_key_problem(entry.key));
    } else {
      add_conversion(source, *key, convert_json(*key, entry));
    }
  }
  if (object.problem.empty()) return;
  problems_.push_back({object.problem, /*is_of_file=*/true});
  is_cut_short_ = true;
}

void ConfigBuilder::add_flags(const std::vector<FlagSetting>& flags, const Source& source) {
  std::vector<FlagSetting> merged;
  for (const FlagSetting& flag : flags) {
    const auto same = std::find_if(merged.begin(), merged.end(),
                                   [&](const FlagSetting& m) { return m.key == flag.key; });
    if (same == merged.end()) {
      merged.push_back(flag);
    } else {
      same->values.insert(same->values.end(), flag.values.begin(), flag.values.end());
    }
  }
  for (const FlagSetting& flag : merged) {
    const ConfigKey* key = find_config_key(flag.key);
    const Source named{source.prefix, source.folder, flag.shown_as};
    if (key == nullptr) {
      add_problem(named, flag.key, unknown_key_problem(flag.key));
    } else {
      add_conversion(named, *key, convert_flag(*key, flag.values));
    }
  }
}

std::string ConfigBuilder::resolve(const ConfigKey& key, const Source& source,
                                   ConfigValue& value) const {
  std::vector<std::string> paths;
  if (key.kind == KeyKind::kPath) {
    auto& text = std::get<std::string>(value);
    if (is_word(key.rules, text)) return "";
    text = resolve_path(source.folder, text);
    paths = {text};
    if (!is_stored_) {
      std::string problem = ending_problem(key, paths);
      if (!problem.empty()) return problem;
    }
  } else if (key.kind == KeyKind::kPathList) {
    auto& list = std::get<std::vector<std::string>>(value);
    if (!is_stored_) {
      std::string problem = expand_paths(source.folder, key.rules, list, paths);
      if (problem.empty()) problem = ending_problem(key, paths);
      if (!problem.empty()) return problem;
      list = paths;
    }
  }
  for (const std::string& path : paths) {
    if (find_invalid_utf8(path) != std::string_view::npos) return shown(path) + " is not UTF-8";
  }
  return "";
}

// Twice the same text is seldom meant, but may be.
void ConfigBuilder::warn_of_repeated_file(const ConfigKey& key, const Source& source,
                                          const ConfigValue& value) const {
  if (is_stored_ || key.kind != KeyKind::kPathList) return;
  const std::string message = repeated_file(key.rules, std::get<std::vector<std::string>>(value));
  if (!message.empty()) log_warning(problem_of(source, key.name, message).text);
}

void ConfigBuilder::apply(const ConfigKey& key, const Setting& setting) {
  ConfigValue value = setting.value;
  const std::string problem = resolve(key, setting.source, value);
  if (problem.empty()) {
    warn_of_repeated_file(key, setting.source, value);
    key.set(config_, value);
  } else {
    add_problem(setting.source, key.name, problem);
  }
}

// Files of token ids need no tokenizer.
bool ConfigBuilder::needs_tokenizer() const {
  bool any_file = false;
  for (const auto* files :
       {&config_.train_files, &config_.eval_files, &config_.pdl_reference_files}) {
    for (const std::string& file : *files) {
      if (!file.ends_with(".npy")) return true;
      any_file = true;
    }
  }
  return !any_file;
}

// A Hugging Face folder holds a tokenizer. One that is missing shall be reported as the model, not
// for the tokenizer that it would hold.
void ConfigBuilder::default_to_own_tokenizer() {
  std::error_code ignored;
  const fs::path& model = config_.model_path;
  const bool is_folder = fs::is_directory(model, ignored) ||
                         (!fs::exists(model, ignored) && !model.empty() && !model.has_extension());
  if (!is_stored_ && config_.tokenizer_path.empty() && needs_tokenizer() && is_folder)
    config_.tokenizer_path = model;
}

void ConfigBuilder::check_required(const std::vector<std::string_view>& required_keys) {
  for (const std::string_view name : required_keys) {
    if (name == "tokenizer_path" && !needs_tokenizer()) continue;
    const ConfigKey* key = find_config_key(name);
    if (key == nullptr || is_bad(name) || is_set(key->get(config_))) continue;
    const std::string flag = "--" + std::string(name);
    const std::string where =
        (file_name_.empty() ? "--config FILE with it, or " : "it in the file or as ") + flag;
    add_problem({}, name, "is missing; give " + where);
  }
}

Source ConfigBuilder::source_of(const ConfigKey& key) const {
  const auto setting = settings_.find(key.name);
  return setting == settings_.end() ? Source{} : setting->second.source;
}

void ConfigBuilder::check_relation(const KeyRelation& relation) {
  const ConfigKey& key = *find_config_key(relation.key);
  const ConfigKey& other = *find_config_key(relation.other);
  const ConfigValue value = key.get(config_);
  if (is_bad(key.name) || is_bad(other.name) || !is_set(value)) return;
  const std::string other_name(other.name);
  const bool other_is_set = is_set(other.get(config_));
  std::string text;
  if (relation.type == KeyRelation::Type::kNeeds && !other_is_set) {
    text = shown(value) + " needs " + other_name + "; give it, too";
  } else if (relation.type == KeyRelation::Type::kExcludes && other_is_set) {
    text = shown(value) + " excludes " + other_name + "; give only one of them";
  }
  // The value itself is not bad, so further relations of the key are checked.
  if (!text.empty()) problems_.push_back(problem_of(source_of(key), key.name, text));
}

void ConfigBuilder::throw_problems() const {
  const bool is_of_file =
      !file_name_.empty() && std::ranges::any_of(problems_, &Problem::is_of_file);
  if (problems_.size() == 1) {
    throw ConfigError((is_of_file ? file_name_ + ": " : "") + problems_.front().text);
  }
  const size_t num_unlisted =
      num_unknown_keys_ > kMaxUnknownKeys ? num_unknown_keys_ - kMaxUnknownKeys : 0;
  std::string message = (is_of_file ? file_name_ : "flags") + ": " +
                        std::to_string(problems_.size() + num_unlisted) + " problems";
  for (const Problem& problem : problems_) message += "\n  " + problem.text;
  if (num_unlisted > 0) {
    message += "\n  and " + std::to_string(num_unlisted) + " more unknown keys";
  }
  throw ConfigError(message);
}

RunConfig ConfigBuilder::finish(const std::vector<std::string_view>& required_keys) {
  for (const ConfigKey& key : config_keys()) {
    const auto setting = settings_.find(key.name);
    if (setting != settings_.end()) apply(key, setting->second);
  }
  if (!is_cut_short_) {
    default_to_own_tokenizer();
    check_required(required_keys);
    const bool is_training =
        std::find(required_keys.begin(), required_keys.end(), "train_files") != required_keys.end();
    for (const KeyRelation& relation : key_relations()) {
      if (is_training || !relation.training_only) check_relation(relation);
    }
  }
  if (!problems_.empty()) throw_problems();
  return std::move(config_);
}

// Keeps the end of a long path, because it says most.
std::string name_for_messages(const fs::path& file) {
  constexpr size_t kMaxBytes = 80;
  if (file.string().size() <= kMaxBytes) return printable(file.string(), kMaxBytes);
  return "…/" + printable(file.filename().string(), kMaxBytes);
}

fs::path working_directory() {
  std::error_code error;
  fs::path folder = fs::current_path(error);
  if (error) throw ConfigError("the working directory cannot be read: " + error.message());
  return folder;
}

}  // namespace

RunConfig load_config(const fs::path& file, const std::vector<FlagSetting>& flags,
                      const std::vector<std::string_view>& required_keys) {
  const fs::path here = working_directory();
  ConfigBuilder builder(name_for_messages(file), /*is_stored=*/false);
  if (!file.empty()) {
    const std::string text = read_file<ConfigError>("config file", file, kMaxFileBytes);
    builder.add_file(text, {"", (here / file).parent_path()});
  }
  builder.add_flags(flags, {"--", here});
  return builder.finish(required_keys);
}

RunConfig load_config_text(std::string_view text, const std::string& name) {
  ConfigBuilder builder(printable(name), /*is_stored=*/true);
  builder.add_file(text, {"", "/"});
  return builder.finish({});
}

std::string config_to_json(const RunConfig& config) {
  nlohmann::ordered_json object;
  for (const ConfigKey& key : config_keys()) {
    object[std::string(key.name)] = to_json(key.get(config));
  }
  return object.dump(2) + "\n";
}

std::vector<std::string> changed_keys(const RunConfig& before, const RunConfig& after) {
  std::vector<std::string> names;
  for (const ConfigKey& key : config_keys()) {
    if (key.get(before) != key.get(after)) names.emplace_back(key.name);
  }
  return names;
}

bool may_change_on_resume(std::string_view key) {
  const ConfigKey* found = find_config_key(key);
  return found != nullptr && found->rules.may_change_on_resume;
}

}  // namespace pdl
