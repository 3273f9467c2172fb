#include <algorithm>
#include <charconv>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "pdl/base/error.h"
#include "pdl/config/config_table.h"
#include "pdl/run/sweep/run_sweep.h"

namespace pdl {
namespace {

constexpr int64_t kMaxSeeds = 10'000;
constexpr int64_t kMaxJobs = 1024;
constexpr int64_t kMaxShards = 1'000'000;
constexpr int kMaxValues = 1 << 16;

struct SweepArguments {
  std::shared_ptr<ConfigArguments> config;
  std::vector<std::string> alphas;
  std::vector<std::string> seeds;
  std::vector<std::string> learning_rates;
  std::string shard = "0/1";
  int64_t jobs = 1;
  bool keep_going = false;
};

// Splits each value at its commas.
std::vector<std::string> split(const std::vector<std::string>& values) {
  std::vector<std::string> parts;
  for (const std::string& value : values) {
    for (size_t begin = 0; begin <= value.size();) {
      const size_t end = std::min(value.find(',', begin), value.size());
      parts.push_back(value.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return parts;
}

// Reads a value as that of a key of run.json, whose range it must have. `flag` is what was typed.
RunConfig with_value(const std::string& key, const std::string& value, const std::string& flag) {
  return load_config("", {{.key = key, .values = {value}, .shown_as = flag}}, {});
}

std::vector<double> alphas_of(const SweepArguments& arguments, const RunConfig& config) {
  if (arguments.alphas.empty()) return {config.weights.pdl_alpha};
  std::vector<double> alphas;
  for (const std::string& value : split(arguments.alphas))
    alphas.push_back(with_value("pdl_alpha", value, "--pdl_alpha").weights.pdl_alpha);
  return alphas;
}

std::vector<double> learning_rates_of(const SweepArguments& arguments, const RunConfig& config) {
  if (arguments.learning_rates.empty()) return {config.schedule.learning_rate};
  std::vector<double> rates;
  for (const std::string& value : split(arguments.learning_rates)) {
    rates.push_back(with_value("learning_rate", value, "--learning_rate").schedule.learning_rate);
  }
  return rates;
}

// One number stands for the seeds from 1 to it, several for themselves.
std::vector<int64_t> seeds_of(const SweepArguments& arguments) {
  std::vector<int64_t> seeds;
  for (const std::string& value : split(arguments.seeds))
    seeds.push_back(with_value("seed", value, "--seeds").training.seed);
  if (seeds.size() != 1) return seeds;
  const int64_t count = seeds.front();
  if (count < 1 || count > kMaxSeeds) {
    throw ConfigError("--seeds: " + std::to_string(count) + " is no number of seeds; give 1 to " +
                      std::to_string(kMaxSeeds) + ", or several seeds, such as 7,9");
  }
  seeds.clear();
  for (int64_t seed = 1; seed <= count; ++seed) seeds.push_back(seed);
  return seeds;
}

// Returns nothing unless the whole of `text` is a number.
std::optional<int64_t> parse_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

SweepShard shard_of(const std::string& text) {
  const size_t slash = std::min(text.find('/'), text.size());
  const auto index = parse_number(std::string_view(text).substr(0, slash));
  const auto count = parse_number(std::string_view(text).substr(std::min(slash + 1, text.size())));
  if (!index || !count || *index < 0 || *index >= *count || *count > kMaxShards) {
    throw ConfigError("--shard: " + shown(text) +
                      " is no part of a sweep; give I/N with I from 0 to N-1, such as 0/8");
  }
  return {.index = *index, .count = *count};
}

int run_sweep_command(const SweepArguments& arguments) {
  if (arguments.jobs < 1 || arguments.jobs > kMaxJobs) {
    throw ConfigError("--jobs: " + std::to_string(arguments.jobs) +
                      " is out of range; must be 1 to " + std::to_string(kMaxJobs));
  }
  SweepOptions options;
  options.shard = shard_of(arguments.shard);
  options.jobs = arguments.jobs;
  options.keep_going = arguments.keep_going;
  options.grid.seeds = seeds_of(arguments);
  options.config =
      load_config(arguments.config->file, arguments.config->settings,
                  {"model_path", "tokenizer_path", "train_files", "eval_files", "output_dir"});
  options.grid.alphas = alphas_of(arguments, options.config);
  options.grid.learning_rates = learning_rates_of(arguments, options.config);
  handle_signals();
  ProcessControl control(std::chrono::steady_clock::now(), /*max_minutes=*/0);
  const SweepResult result = run_sweep(options, control);
  if (result.comparison) write_result("", to_table(*result.comparison));
  return static_cast<int>(result.exit_code);
}

void add_values(CLI::App& command, const std::string& flag, std::vector<std::string>& values,
                const std::string& type, const std::string& help) {
  const auto store = [&values, flag](const CLI::results_t& given) {
    for (const std::string& value : given) {
      // CLI11 takes whatever follows a flag as its value.
      if (value.starts_with("--")) throw CLI::ArgumentMismatch(flag + " needs a value");
      values.push_back(value);
    }
    return true;
  };
  command.add_option(flag, store, help)
      ->type_name(type)
      ->expected(1, kMaxValues)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

// The keys that are the same in every cell.
std::vector<std::string_view> shared_keys() {
  std::vector<std::string_view> keys;
  for (const ConfigKey& key : config_keys()) {
    if (key.name != "pdl_alpha" && key.name != "seed" && key.name != "learning_rate")
      keys.push_back(key.name);
  }
  return keys;
}

}  // namespace

void add_sweep_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "sweep", "Train every combination of alphas, seeds and learning rates, and compare them");
  auto arguments = std::make_shared<SweepArguments>();
  arguments->config = add_config_arguments(*command, shared_keys());
  add_values(*command, "--pdl_alpha", arguments->alphas, "A,A...",
             "alphas, with 0 beside them; default: that of the config");
  add_values(*command, "--seeds", arguments->seeds, "N|S,S...",
             "N: the seeds from 1 to N; several: these");
  command->get_option("--seeds")->required();
  add_values(*command, "--learning_rate", arguments->learning_rates, "L,L...",
             "learning rates; default: that of the config");
  command->add_option("--jobs", arguments->jobs, "cells at a time")->capture_default_str();
  command
      ->add_option("--shard", arguments->shard,
                   "train part I of N alone, I from 0 to N-1, into the same output_dir")
      ->type_name("I/N");
  command->add_flag("--keep_going", arguments->keep_going,
                    "begin further cells after one has failed");
  command->callback([&exit_code, arguments] { exit_code = run_sweep_command(*arguments); });
}

}  // namespace pdl
