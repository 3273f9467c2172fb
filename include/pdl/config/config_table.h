// The one table of all keys of run.json. Flags, --help, the JSON Schema, docs/configuration.md, the
// checks of load_config() and config.json are made from it. A key's default is that of a
// default-constructed RunConfig.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pdl/config/run_config.h"

namespace pdl {

// The value of a key outside RunConfig: bool, integer, number, text (a choice or a path, too),
// list.
using ConfigValue = std::variant<bool, int64_t, double, std::string, std::vector<std::string>>;

// What a key's value is; see ConfigValue.
enum class KeyKind { kBool, kInteger, kNumber, kChoice, kString, kPath, kStringList, kPathList };

// A section of --help and of docs/configuration.md, in their order.
enum class KeyGroup {
  kModel,
  kData,
  kPowerLawDecay,
  kBatches,
  kOptimizer,
  kDevice,
  kEvaluation,
  kOutput,
  kSafety
};

// What a key's value must satisfy beyond its kind. Every rule is optional; by default any value
// will do.
struct KeyRules {
  bool required = false;  // has no default; required by the JSON Schema too
  double min = -std::numeric_limits<double>::infinity();  // inclusive unless open_min
  double max = std::numeric_limits<double>::infinity();   // inclusive unless open_max
  bool open_min = false;
  bool open_max = false;
  std::optional<double> or_value = std::nullopt;  // a value allowed besides [min, max]: a sentinel
  bool whole_from_one = false;         // values >= 1 are integers; smaller ones are shares
  std::string_view pattern = {};       // regular expression that the whole of a string matches
  std::string_view pattern_text = {};  // the same in words
  bool is_regex = false;               // each string is a regular expression
  bool is_path = false;                // a string or string list that holds paths
  std::span<const std::string_view> words = {};    // values of a path key that are not paths
  std::span<const std::string_view> endings = {};  // allowed ends of paths, globs expanded
  // Cannot change the data, their order or the weights, or is a path whose content is compared.
  bool may_change_on_resume = false;
};

// One key of run.json: its name, its documentation, and how it is bound to a field of RunConfig.
struct ConfigKey {
  KeyGroup group;
  std::string_view name;
  KeyKind kind;
  std::string_view help;     // one line: meaning and unit, without default and range
  std::string_view details;  // sentences that the line has no room for, in Markdown; may be empty
  std::span<const std::string_view> choices;  // of kChoice
  KeyRules rules;
  ConfigValue (*get)(const RunConfig& config);
  // `value` holds the alternative of `kind` and, for kChoice, one of `choices`; else throws
  // std::logic_error or std::bad_variant_access: check user input first (load_config does).
  void (*set)(RunConfig& config, const ConfigValue& value);
};

// Returns all keys, group by group, in the order of the documentation. Thread-safe: the table is
// immutable.
std::span<const ConfigKey> config_keys();

// The heading of the group in --help and in docs/configuration.md.
std::string_view group_title(KeyGroup group);

// Returns nullptr if there is no such key.
const ConfigKey* find_config_key(std::string_view name);

// The value of a key that is not given.
ConfigValue default_value(const ConfigKey& key);

// Formats a value for a line of text: numbers in the fewest digits that read back as the same,
// strings quoted, escaped and shortened.
std::string shown(const ConfigValue& value);

// Returns false for the values that switch a key off: false, "", [] and numbers <= 0.
bool is_set(const ConfigValue& value);

// A condition between two keys that must hold once `key` is set.
struct KeyRelation {
  // Whether `key` needs that `other` is set, too, or that it is not.
  enum class Type { kNeeds, kExcludes };
  std::string_view key;
  Type type;
  std::string_view other;
  bool training_only;  // ignored by commands that do not train
};

// All relations between keys. Thread-safe: the table is immutable.
std::span<const KeyRelation> key_relations();

}  // namespace pdl
