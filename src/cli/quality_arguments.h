// The arguments of `eval` that measure texts.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "pdl/run/text_quality.h"

namespace pdl {

// What was typed; without a value what was not.
struct QualityArguments {
  std::optional<int64_t> generate;
  std::optional<std::string> generate_from;
  std::optional<int64_t> max_new_tokens;
  std::optional<double> temperature;
  std::optional<std::string> generate_output;
  std::optional<std::string> text_quality_output;
  std::optional<int64_t> rare_below;
  std::optional<std::string> judge_model;
};

// Adds the flags to `command`. Parsing the command line fills the result.
std::shared_ptr<QualityArguments> add_quality_arguments(CLI::App& command);

// Returns none unless texts shall be measured. Throws ConfigError, with the flag, for a value that
// is out of range, and for a flag that would do nothing.
std::optional<TextQualityOptions> quality_options(const QualityArguments& arguments);

// Measures, writes what was measured to the file that was asked for, if any, and returns it: the
// object `text_quality`. Throws StorageError.
std::string measure_texts(TextQualityRun& run, const QualityArguments& arguments);

}  // namespace pdl
