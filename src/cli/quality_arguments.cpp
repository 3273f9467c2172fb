#include "cli/quality_arguments.h"

#include <algorithm>
#include <cmath>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/config/config_table.h"
#include "pdl/frequency/bands.h"

namespace pdl {
namespace {

constexpr int64_t kMostNewTokens = 1 << 30;

void require(bool is_met, const char* flag, const std::string& what) {
  if (!is_met) throw ConfigError(std::string(flag) + ": must be " + what);
}

// The counts at which a band begins but the first, below which nothing is.
std::string band_edges() {
  std::string edges;
  for (size_t i = 1; i < kFrequencyBands.size(); ++i) {
    edges += (edges.empty()                    ? ""
              : i + 1 < kFrequencyBands.size() ? ", "
                                               : " or ") +
             std::to_string(kFrequencyBands[i].min_count);
  }
  return edges;
}

bool is_band_edge(int64_t count) {
  return count > 0 && std::ranges::any_of(kFrequencyBands, [&](const FrequencyBand& band) {
           return band.min_count == count;
         });
}

// A flag that does nothing is a mistake.
void refuse_idle_flags(const QualityArguments& arguments) {
  const auto refuse = [](bool is_given, const std::string& flag, const std::string& needed) {
    if (is_given)
      throw ConfigError(flag + ": needs " + needed + "; give that, too, or leave it out");
  };
  if (!arguments.generate) {
    refuse(arguments.temperature.has_value(), "--temperature", "--generate N");
    refuse(arguments.generate_output.has_value(), "--generate_output", "--generate N");
  }
  if (arguments.generate || arguments.generate_from) return;
  const std::string either = "--generate N or --generate_from FILE";
  refuse(arguments.max_new_tokens.has_value(), "--max_new_tokens", either);
  refuse(arguments.rare_below.has_value(), "--rare_below", either);
  refuse(arguments.judge_model.has_value(), "--judge_model", either);
  refuse(arguments.text_quality_output.has_value(), "--text_quality_output", either);
}

void require_path(const std::optional<std::string>& path, const char* flag) {
  // CLI11 takes whatever follows a flag as its value.
  require(!path || (!path->empty() && !path->starts_with("--")), flag, "followed by a path");
}

}  // namespace

std::shared_ptr<QualityArguments> add_quality_arguments(CLI::App& command) {
  auto arguments = std::make_shared<QualityArguments>();
  command.add_option("--generate", arguments->generate,
                     "generate this many samples and measure their text beside that of people");
  command
      .add_option("--generate_from", arguments->generate_from,
                  "measure the samples of this file instead: JSON lines with ids")
      ->type_name("FILE");
  command.add_option("--max_new_tokens", arguments->max_new_tokens, "tokens of a sample")
      ->default_str(std::to_string(TextQualityOptions{}.max_new_tokens));
  command.add_option("--temperature", arguments->temperature, "0: the highest score wins")
      ->default_str("1");
  command.add_option("--generate_output", arguments->generate_output, "file for the samples")
      ->type_name("FILE");
  command
      .add_option("--rare_below", arguments->rare_below,
                  "tokens with fewer training occurrences are rare: " + band_edges())
      ->default_str(std::to_string(TextQualityOptions{}.rare_below));
  command
      .add_option("--judge_model", arguments->judge_model,
                  "another model, which says how probable the texts are")
      ->type_name("PATH");
  command
      .add_option("--text_quality_output", arguments->text_quality_output,
                  "file for text_quality: text_quality.json of a run shows it on its page")
      ->type_name("FILE");
  return arguments;
}

std::optional<TextQualityOptions> quality_options(const QualityArguments& arguments) {
  refuse_idle_flags(arguments);
  if (!arguments.generate && !arguments.generate_from) return std::nullopt;
  if (arguments.generate && arguments.generate_from)
    throw ConfigError(
        "--generate: makes samples, and --generate_from reads some; give one of them");
  TextQualityOptions options;
  options.num_samples = arguments.generate.value_or(0);
  options.samples = arguments.generate_from.value_or("");
  options.max_new_tokens = arguments.max_new_tokens.value_or(options.max_new_tokens);
  options.temperature = arguments.temperature.value_or(options.temperature);
  options.output = arguments.generate_output.value_or("");
  options.rare_below = arguments.rare_below.value_or(options.rare_below);
  options.judge_model = arguments.judge_model.value_or("");
  require(!arguments.generate || options.num_samples >= 1, "--generate", "at least 1");
  require(options.max_new_tokens >= 1 && options.max_new_tokens <= kMostNewTokens,
          "--max_new_tokens", "from 1 to " + std::to_string(kMostNewTokens));
  require(options.temperature >= 0 && std::isfinite(options.temperature), "--temperature",
          "a number of at least 0");
  require(is_band_edge(options.rare_below), "--rare_below",
          "where a band of training counts begins: " + band_edges());
  require_path(arguments.generate_from, "--generate_from");
  require_path(arguments.generate_output, "--generate_output");
  require_path(arguments.judge_model, "--judge_model");
  require_path(arguments.text_quality_output, "--text_quality_output");
  // A place where nothing can be written is refused before what takes long; nothing is left there.
  if (arguments.text_quality_output) DurableFile(*arguments.text_quality_output).write("");
  return options;
}

std::string measure_texts(TextQualityRun& run, const QualityArguments& arguments) {
  const std::string figures = to_json(run.measure());
  if (arguments.text_quality_output)
    write_file_durably(*arguments.text_quality_output, figures + "\n");
  return figures;
}

}  // namespace pdl
