#include <algorithm>
#include <array>
#include <optional>

#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/config_flags.h"
#include "cli/output.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/base/unicode.h"
#include "pdl/config/config_table.h"
#include "pdl/frequency/token_counts.h"
#include "pdl/metrics/console_sink.h"
#include "pdl/tokenizer/tokenizer.h"
#include "pdl/weights/weight_formula.h"
#include "pdl/weights/weight_plot.h"
#include "pdl/weights/weight_statistics.h"

namespace pdl {
namespace {

constexpr std::array<std::string_view, 7> kWeightKeys = {
    "pdl_alpha",          "pdl_epsilon",   "pdl_frequency", "pdl_unseen",
    "pdl_special_tokens", "pdl_max_ratio", "tokenizer_path"};

struct WeightsArguments {
  std::string table;
  std::vector<FlagSetting> settings;
  std::string output;
  std::optional<std::string> plot;  // file
};

std::string to_tsv(const std::vector<int64_t>& counts, const std::vector<double>& weights,
                   const Tokenizer* tokenizer) {
  std::string text = "id\tpiece\tcount\tweight\n";
  for (size_t token = 0; token < counts.size(); ++token) {
    const bool has_piece = tokenizer != nullptr && static_cast<int64_t>(token) < tokenizer->size();
    const std::string piece =
        has_piece ? printable(tokenizer->piece(static_cast<int32_t>(token)), SIZE_MAX) : "";
    text += std::to_string(token) + "\t" + piece + "\t" + std::to_string(counts[token]) + "\t" +
            shown(weights[token]) + "\n";
  }
  return text;
}

// Names the options of the weights: alpha and epsilon, and the others if they are not the default.
std::string shown_options(const RunConfig& config) {
  std::string text;
  for (const std::string_view name : kWeightKeys) {
    const ConfigKey& key = *find_config_key(name);
    const bool is_shown = name == "pdl_alpha" || name == "pdl_epsilon" ||
                          (key.kind != KeyKind::kPath && key.get(config) != default_value(key));
    if (is_shown) {
      text += (text.empty() ? "" : ", ") + std::string(name) + " " + shown(key.get(config));
    }
  }
  return text;
}

void write_plot(const WeightsArguments& arguments, const RunConfig& config,
                std::span<const int64_t> counts, std::span<const double> weights) {
  const std::string table = std::filesystem::path(arguments.table).filename().string();
  write_file_durably(*arguments.plot, weight_plot_svg(rank_curves(counts, weights),
                                                      printable(table), shown_options(config)));
}

void run_weights(const WeightsArguments& arguments) {
  if (arguments.plot && !arguments.plot->ends_with(".svg")) {
    throw ConfigError("--plot: " + shown(*arguments.plot) +
                      " does not end in .svg, and the plot is an SVG; name it so");
  }
  const RunConfig config = load_config("", arguments.settings, {});
  std::unique_ptr<Tokenizer> tokenizer;
  TokenCounts table = load_token_counts(arguments.table);
  if (!config.tokenizer_path.empty()) {
    tokenizer = load_tokenizer(config.tokenizer_path);
    table = fit_to_model(table, tokenizer.get(), std::max(table.vocab_size(), tokenizer->size()),
                         arguments.table);
  } else if (config.weights.pdl_special_tokens == SpecialTokenPolicy::kNeutral) {
    throw ConfigError(
        "pdl_special_tokens \"neutral\" needs --tokenizer_path, which knows the special tokens");
  }
  const std::vector<int32_t> special_ids =
      tokenizer ? tokenizer->special_ids() : std::vector<int32_t>{};
  const std::vector<double> weights =
      power_law_weights(table.counts, config.weights, special_ids, config.weights.pdl_alpha);
  const WeightStatistics statistics = weight_statistics(
      {.table = table.counts, .training = table.counts}, weights, config.weights, tokenizer.get());
  for (const std::string& line : weight_report(statistics)) log_info(line);
  for (const std::string& line : weight_warnings(statistics)) log_warning(line);
  if (arguments.plot) write_plot(arguments, config, table.counts, weights);
  write_result(arguments.output, to_tsv(table.counts, weights, tokenizer.get()));
}

}  // namespace

void add_weights_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "weights", "Print the weights of a frequency table: id, piece, count, weight as TSV");
  auto arguments = std::make_shared<WeightsArguments>();
  command->add_option("TABLE", arguments->table, "a frequency.json")->required();
  add_config_flags(*command, kWeightKeys, arguments->settings);
  command->add_option("--output", arguments->output, "file for the TSV; without it, stdout")
      ->type_name("FILE");
  command
      ->add_option("--plot", arguments->plot,
                   "also draw count and weight by rank, both axes logarithmic")
      ->type_name("FILE.svg");
  command->callback([arguments] { run_weights(*arguments); });
}

}  // namespace pdl
