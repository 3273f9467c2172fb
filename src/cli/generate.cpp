#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <iterator>
#include <optional>

#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/config_flags.h"
#include "cli/output.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/log.h"
#include "pdl/config/config_table.h"
#include "pdl/frequency/token_counts.h"
#include "pdl/generation/generate.h"
#include "pdl/run/chat_date.h"
#include "pdl/run/eos_ids.h"
#include "pdl/run/generation_config.h"
#include "pdl/run/job.h"
#include "pdl/run/prompts.h"
#include "pdl/run/run_folder.h"

namespace pdl {
namespace {

constexpr std::array<std::string_view, 14> kGenerateKeys = {
    "model_path",          "tokenizer_path", "adapter_path", "prompt_field", "messages_field",
    "chat_template",       "chat_date",      "add_bos",      "seed",         "precision",
    "pdl_frequency_table", "output_dir",     "device",       "num_threads"};

struct GenerateArguments {
  std::string config;
  std::vector<FlagSetting> settings;
  std::vector<std::string> prompts;
  std::string prompt_file;  // "-": stdin
  std::string dash;         // "-" as an argument of its own
  std::string output;
  GenerationOptions options;
  std::optional<int64_t> max_length;
  std::vector<std::string> stop_tokens;
  std::optional<double> tau;
  bool ignores_eos = false;
  bool reads_generation_config = false;
};

// ------------------------------------------------------------------ options

void require(bool is_met, const char* flag, const std::string& what) {
  if (!is_met) throw ConfigError(std::string(flag) + ": must be " + what);
}

void require_ranges(const GenerateArguments& arguments) {
  const GenerationOptions& options = arguments.options;
  const SamplingOptions& sampling = options.sampling;
  require(options.max_new_tokens >= 1, "--max_new_tokens", "at least 1");
  require(options.min_new_tokens >= 0, "--min_new_tokens", "at least 0");
  require(arguments.max_length.value_or(1) >= 1, "--max_length", "at least 1");
  require(options.num_return_sequences >= 1, "--num_return_sequences", "at least 1");
  require(options.batch_size >= 1, "--batch_size", "at least 1");
  require(sampling.temperature >= 0 && std::isfinite(sampling.temperature), "--temperature",
          "a number of at least 0");
  require(sampling.top_k >= 0, "--top_k", "at least 0");
  require(sampling.top_p > 0 && sampling.top_p <= 1, "--top_p", "above 0 and at most 1");
  require(sampling.min_p >= 0 && sampling.min_p <= 1, "--min_p", "from 0 to 1");
  require(sampling.repetition_penalty > 0 && std::isfinite(sampling.repetition_penalty),
          "--repetition_penalty", "a number above 0");
  require(sampling.no_repeat_ngram_size >= 0, "--no_repeat_ngram_size", "at least 0");
  require(!arguments.tau || std::isfinite(*arguments.tau), "--logit_bias", "a number");
  for (const std::string& stop : options.stop_strings)
    require(!stop.empty(), "--stop", "a text of at least one byte");
  for (const std::string& stop : arguments.stop_tokens)
    require(!stop.empty(), "--stop_token", "a piece or an id");
}

// 0: none.
int64_t max_length_for(const GenerateArguments& arguments, const ModelInfo& model) {
  const int64_t most = model.is_program ? 0 : model.max_positions;
  if (most > 0 && arguments.max_length.value_or(most) > most) {
    throw ConfigError("--max_length: the model has " + std::to_string(most) +
                      " positions; give that or less");
  }
  return arguments.max_length.value_or(most);
}

bool is_decimal(const std::string& text) {
  return !text.empty() && text.size() <= 9 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

int32_t stop_id(const std::string& written, const Tokenizer& tokenizer) {
  if (is_decimal(written) && std::stoll(written) < tokenizer.size())
    return static_cast<int32_t>(std::stoll(written));
  for (int32_t id = 0; id < tokenizer.size(); ++id) {
    if (tokenizer.piece(id) == written) return id;
  }
  throw ConfigError("--stop_token: the tokenizer has no token " + shown(written) +
                    "; give its piece as `pdl-train tokenize` prints it, or its id");
}

// A table that was given as a flag, else that of the run.
TokenCounts counts_for(const GenerateArguments& arguments, const RunConfig& config) {
  const bool has_flag = std::ranges::any_of(arguments.settings, [](const FlagSetting& setting) {
    return setting.key == "pdl_frequency_table";
  });
  if (has_flag) return load_token_counts(config.pdl_frequency_table);
  if (arguments.config.empty())
    throw ConfigError("--logit_bias: needs the counts of --pdl_frequency_table, or --config");
  return load_token_counts(RunFolder(config.output_dir).frequency());
}

std::vector<float> bias_for(const GenerateArguments& arguments, const RunConfig& config,
                            const Tokenizer& tokenizer, int64_t vocab_size) {
  if (!arguments.tau) return {};
  const TokenCounts table =
      fit_to_model(counts_for(arguments, config), &tokenizer, vocab_size, "--logit_bias");
  return logit_bias(table.counts, *arguments.tau);
}

// What happens to the logits, in this order.
std::string chain_of(const GenerateArguments& arguments) {
  const SamplingOptions& sampling = arguments.options.sampling;
  std::string chain;
  const auto add = [&](bool is_on, const std::string& text) {
    if (is_on) chain += (chain.empty() ? "" : ", ") + text;
  };
  add(arguments.tau.has_value(), "logit_bias " + shown(arguments.tau.value_or(0)));
  add(sampling.repetition_penalty != 1, "repetition_penalty " + shown(sampling.repetition_penalty));
  add(sampling.no_repeat_ngram_size > 0,
      "no_repeat_ngram_size " + shown(sampling.no_repeat_ngram_size));
  add(arguments.options.min_new_tokens > 0,
      "min_new_tokens " + shown(arguments.options.min_new_tokens));
  if (sampling.temperature == 0) {
    add(true, "the highest score");
    return chain;
  }
  add(true, "temperature " + shown(sampling.temperature));
  add(sampling.top_k > 0, "top_k " + shown(sampling.top_k));
  add(sampling.top_p < 1, "top_p " + shown(sampling.top_p));
  add(sampling.min_p > 0, "min_p " + shown(sampling.min_p));
  add(true, "a draw with seed " + std::to_string(arguments.options.seed));
  return chain;
}

std::string names_of(const std::vector<int32_t>& ids, const Tokenizer& tokenizer) {
  std::string names;
  for (const int32_t id : ids) {
    const std::string piece = id < tokenizer.size() ? shown(tokenizer.piece(id)) + " " : "";
    names += (names.empty() ? "" : ", ") + piece + "(" + std::to_string(id) + ")";
  }
  return names.empty() ? "no token" : names;
}

// ------------------------------------------------------------------ prompts

std::vector<PromptDocument> prompts_of(const GenerateArguments& arguments, const RunConfig& config,
                                       const Tokenizer& tokenizer) {
  const bool reads_stdin = arguments.dash == "-" || arguments.prompt_file == "-";
  if (!arguments.dash.empty() && arguments.dash != "-")
    throw ConfigError("unexpected: " + shown(arguments.dash) + "; give prompts as --prompt TEXT");
  const int sources = (arguments.prompts.empty() ? 0 : 1) +
                      (arguments.prompt_file.empty() ? 0 : 1) + (arguments.dash.empty() ? 0 : 1);
  if (sources != 1)
    throw ConfigError("generate takes one of --prompt TEXT…, --prompts FILE and - (stdin)");
  if (reads_stdin) {
    const std::string text(std::istreambuf_iterator<char>(std::cin), {});
    return split_prompts(text, "stdin");
  }
  if (!arguments.prompt_file.empty())
    return read_prompts(arguments.prompt_file, config.text, tokenizer);
  std::vector<PromptDocument> prompts;
  for (const std::string& text : arguments.prompts) {
    PromptDocument& prompt = prompts.emplace_back();
    prompt.document.parts.push_back({text});
    prompt.place = "--prompt " + std::to_string(prompts.size());
  }
  return prompts;
}

// ------------------------------------------------------------------ result

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += (all.empty() ? "" : ", ") + part;
  return all;
}

// `command` knows what was typed.
void read_generation_config(const RunConfig& config, const CLI::App& command,
                            GenerationOptions& options) {
  const auto is_typed = [&](std::string_view name) {
    return command.count("--" + std::string(name)) > 0;
  };
  const GenerationConfigNotes notes = apply_generation_config(config.model_path, is_typed, options);
  log_info("generation_config.json: " + joined(notes.heeded));
  if (!notes.overridden.empty()) log_info("flags override its " + joined(notes.overridden));
  if (!notes.unknown.empty())
    log_warning("generation_config.json: " + joined(notes.unknown) +
                " would change texts and is not known here; what is written is without it");
}

void run_generate(GenerateArguments& arguments, const CLI::App& command) {
  require_ranges(arguments);
  const RunConfig config = with_chat_date(
      load_config(arguments.config, arguments.settings, {"model_path", "tokenizer_path"}));
  if (arguments.reads_generation_config) {
    read_generation_config(config, command, arguments.options);
    try {
      require_ranges(arguments);
    } catch (const ConfigError& problem) {
      throw ConfigError("generation_config.json: " + std::string(problem.what()));
    }
  }
  const auto tokenizer = load_tokenizer(config.tokenizer_path);
  const std::vector<Prompt> prompts =
      encode_prompts(prompts_of(arguments, config, *tokenizer), *tokenizer, config.text);
  const auto model = load_fixed_model(config, *tokenizer);

  GenerationOptions& options = arguments.options;
  options.seed = static_cast<uint64_t>(config.training.seed);
  options.max_length = max_length_for(arguments, model->info());
  if (!arguments.ignores_eos) options.eos_ids = eos_ids(*tokenizer, config.model_path);
  for (const std::string& written : arguments.stop_tokens)
    options.stop_ids.push_back(stop_id(written, *tokenizer));
  options.logit_bias = bias_for(arguments, config, *tokenizer, model->info().vocab_size);
  std::vector<int32_t> ends = options.eos_ids;
  ends.insert(ends.end(), options.stop_ids.begin(), options.stop_ids.end());
  const SamplingOptions& sampling = options.sampling;
  if (sampling.temperature == 0 &&
      (sampling.top_k > 0 || sampling.top_p < 1 || sampling.min_p > 0)) {
    log_warning(
        "--top_k, --top_p and --min_p do nothing without --temperature: the highest score wins");
  }
  log_info("the next token is chosen by: " + chain_of(arguments) + "; ends at " +
           names_of(ends, *tokenizer));

  std::vector<std::vector<int32_t>> ids;
  for (const Prompt& prompt : prompts) ids.push_back(prompt.ids);
  std::optional<DurableFile> file;
  if (!arguments.output.empty()) file.emplace(arguments.output);
  const bool streams = !file && prompts.size() == 1 && options.num_return_sequences == 1;
  GenerationSinks sinks;
  sinks.on_sample = [&](const Sample& sample) {
    const std::string& prompt = prompts[static_cast<size_t>(sample.prompt_index)].text;
    if (file) return file->write(to_json(sample, prompt, options.seed) + "\n");
    write_result("", streams ? "\n" : sample.text + "\n");
  };
  if (streams) {
    sinks.on_text = [](std::string_view text) {
      if (!text.empty()) write_result("", text);
    };
  }
  generate(*model, *tokenizer, ids, options, sinks);
  if (file) file->close();
}

// One text or more, as they are: CLI11 would split "[a, b]".
void add_texts(CLI::App& command, const std::string& flag, std::vector<std::string>& texts,
               const std::string& type, const std::string& help) {
  constexpr int kMostTexts = 1 << 24;
  const auto store = [&texts, flag](const CLI::results_t& values) {
    for (const std::string& value : values) {
      // CLI11 takes whatever follows a flag as its value.
      if (value.starts_with("--")) throw CLI::ArgumentMismatch(flag + " needs a value");
      texts.push_back(value);
    }
    return true;
  };
  command.add_option(flag, store, help)
      ->type_name(type + "...")
      ->expected(1, kMostTexts)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_sampling_options(CLI::App& command, GenerationOptions& options) {
  SamplingOptions& sampling = options.sampling;
  command.add_option("--max_new_tokens", options.max_new_tokens, "most tokens to generate");
  command.add_option("--min_new_tokens", options.min_new_tokens,
                     "until then no eos and no stop token");
  command.add_option("--temperature", sampling.temperature, "0: the highest score wins");
  command.add_option("--top_k", sampling.top_k, "keep the k best tokens; 0: all");
  command.add_option("--top_p", sampling.top_p, "keep the fewest best tokens of this probability");
  command.add_option("--min_p", sampling.min_p, "keep tokens of this share of the best one's");
  command.add_option("--repetition_penalty", sampling.repetition_penalty,
                     "weakens tokens that were there before; 1: off");
  command.add_option("--no_repeat_ngram_size", sampling.no_repeat_ngram_size,
                     "no n tokens in a row stand twice; 0: off");
  command.add_option("--num_return_sequences", options.num_return_sequences,
                     "samples of each prompt");
  command.add_option("--batch_size", options.batch_size, "samples at once; changes no text");
  add_texts(command, "--stop", options.stop_strings, "TEXT", "texts that end a sample");
}

}  // namespace

void add_generate_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("generate", "Continue prompts; prints the text, or writes JSON lines");
  auto arguments = std::make_shared<GenerateArguments>();
  command->add_option("--config", arguments->config, "the run.json")->type_name("FILE");
  add_texts(*command, "--prompt", arguments->prompts, "TEXT", "prompts");
  command
      ->add_option("--prompts", arguments->prompt_file,
                   "file of prompts: a line each, or .jsonl records; -: stdin")
      ->type_name("FILE");
  command->add_option("STDIN", arguments->dash, "-: read prompts from stdin, a line each");
  command->add_option("--output", arguments->output, "file for JSON lines; without it, stdout")
      ->type_name("FILE");
  add_sampling_options(*command, arguments->options);
  add_texts(*command, "--stop_token", arguments->stop_tokens, "TOKEN",
            "tokens that end a sample, or ids");
  command->add_option("--max_length", arguments->max_length,
                      "most tokens of prompt and text; default: the positions of a folder's model");
  command->add_flag("--ignore_eos", arguments->ignores_eos, "eos ends nothing");
  command->add_option("--logit_bias", arguments->tau,
                      "add this times ln(count + 1) of each token to its logit first");
  command->add_flag("--generation_config", arguments->reads_generation_config,
                    "take what is not typed from generation_config.json of the model's folder");
  add_config_flags(*command, kGenerateKeys, arguments->settings);
  command->callback([arguments, command] { run_generate(*arguments, *command); });
}

}  // namespace pdl
