// How a key of run.json is bound to a field of RunConfig.
#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "pdl/config/config_table.h"

namespace pdl {
namespace {

using Words = std::string_view;

// The names of an enum's values in run.json, in the order of the enum.
template <class Enum>
constexpr std::array<Words, 0> kNames{};
template <>
constexpr std::array kNames<TextDocument>{Words("file"), Words("paragraph"), Words("line")};
template <>
constexpr std::array kNames<FrequencyUnit>{Words("count"), Words("relative")};
template <>
constexpr std::array kNames<UnseenPolicy>{Words("formula"), Words("count_one"), Words("error")};
template <>
constexpr std::array kNames<SpecialTokenPolicy>{Words("formula"), Words("neutral")};
template <>
constexpr std::array kNames<ScheduleType>{Words("constant"), Words("linear"), Words("cosine"),
                                          Words("warmup_stable_decay")};
template <>
constexpr std::array kNames<OptimizerType>{Words("adamw"), Words("sgd")};
template <>
constexpr std::array kNames<Precision>{Words("fp32"), Words("bf16"), Words("fp16"),
                                       Words("fp32x3")};
template <>
constexpr std::array kNames<IsolateDocuments>{Words("auto"), Words("true"), Words("false")};
template <>
constexpr std::array kNames<SpikeAction>{Words("warn"), Words("skip")};
template <>
constexpr std::array kNames<BestMetric>{Words("eval_ce"), Words("eval_loss"), Words("eval_ppl"),
                                        Words("eval_accuracy")};

template <class Enum>
Enum enum_from_name(std::string_view name) {
  const auto found = std::find(kNames<Enum>.begin(), kNames<Enum>.end(), name);
  if (found == kNames<Enum>.end()) throw std::logic_error("unchecked choice " + std::string(name));
  return static_cast<Enum>(found - kNames<Enum>.begin());
}

// Follows a path of member pointers: config.*first.*second.
template <auto... Path, class Config>
auto& field_of(Config& config) {
  return (config.*....*Path);
}

template <auto... Path>
using FieldType = std::remove_reference_t<decltype(field_of<Path...>(std::declval<RunConfig&>()))>;

template <auto... Path>
ConfigValue get_field(const RunConfig& config) {
  using Field = FieldType<Path...>;
  const auto& field = field_of<Path...>(config);
  if constexpr (std::is_enum_v<Field>) {
    return std::string(kNames<Field>.at(static_cast<size_t>(field)));
  } else if constexpr (std::is_same_v<Field, std::filesystem::path>) {
    return field.string();
  } else {
    return ConfigValue(std::in_place_type<Field>, field);
  }
}

template <auto... Path>
void set_field(RunConfig& config, const ConfigValue& value) {
  using Field = FieldType<Path...>;
  auto& field = field_of<Path...>(config);
  if constexpr (std::is_enum_v<Field>) {
    field = enum_from_name<Field>(std::get<std::string>(value));
  } else if constexpr (std::is_same_v<Field, std::filesystem::path>) {
    field = std::get<std::string>(value);
  } else {
    field = std::get<Field>(value);
  }
}

template <class Field>
constexpr KeyKind kind_of(bool is_path) {
  if constexpr (std::is_same_v<Field, bool>) return KeyKind::kBool;
  if constexpr (std::is_same_v<Field, int64_t>) return KeyKind::kInteger;
  if constexpr (std::is_same_v<Field, double>) return KeyKind::kNumber;
  if constexpr (std::is_enum_v<Field>) return KeyKind::kChoice;
  if constexpr (std::is_same_v<Field, std::filesystem::path>) return KeyKind::kPath;
  if constexpr (std::is_same_v<Field, std::vector<std::string>>) {
    return is_path ? KeyKind::kPathList : KeyKind::kStringList;
  }
  return is_path ? KeyKind::kPath : KeyKind::kString;
}

struct KeyText {
  std::string_view help;
  std::string_view details = {};
};

template <auto... Path>
constexpr ConfigKey key(KeyGroup group, std::string_view name, KeyText text, KeyRules rules = {}) {
  using Field = FieldType<Path...>;
  ConfigKey result{.group = group,
                   .name = name,
                   .kind = kind_of<Field>(rules.is_path),
                   .help = text.help,
                   .details = text.details,
                   .choices = {},
                   .rules = rules,
                   .get = &get_field<Path...>,
                   .set = &set_field<Path...>};
  if constexpr (std::is_enum_v<Field>) result.choices = kNames<Field>;
  return result;
}

}  // namespace
}  // namespace pdl
