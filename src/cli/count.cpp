#include <algorithm>
#include <charconv>
#include <optional>

#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/file_job.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/corpus/chat_format.h"
#include "pdl/frequency/shard_counts.h"
#include "pdl/frequency/token_counts.h"
#include "pdl/run/chat_date.h"
#include "pdl/run/job.h"

namespace pdl {
namespace {

constexpr int kMaxFiles = 1 << 24;

struct CountArguments {
  std::shared_ptr<ConfigArguments> config;
  std::vector<std::string> files;
  std::optional<std::string> shard;  // "i/n"
  std::vector<std::string> shards;   // files to merge
  std::string output;
};

// Returns nothing unless the whole of `text` is a number.
std::optional<int64_t> parse_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Shard parse_shard(const std::string& text) {
  const size_t slash = std::min(text.find('/'), text.size());
  const auto index = parse_number(std::string_view(text).substr(0, slash));
  const auto count = parse_number(std::string_view(text).substr(std::min(slash + 1, text.size())));
  if (!index || !count || *index < 0 || *index >= *count) {
    throw ConfigError("--shard: \"" + printable(text) +
                      "\" is no part of a corpus; give I/N with I from 0 to N-1, such as 0/8");
  }
  return {.index = *index, .count = *count};
}

std::string count_files(const CountArguments& arguments) {
  const FileJob job = load_file_job(arguments.config->settings, arguments.files);
  if (!job.tokenizer) {
    throw ConfigError("--tokenizer_path: is missing; a table is as wide as its tokenizer");
  }
  PipelineOptions options{.num_threads = job.num_threads, .progress = corpus_progress("counting")};
  std::optional<Shard> shard;
  if (arguments.shard) {
    shard = parse_shard(*arguments.shard);
    options.shard = shard->index;
    options.num_shards = shard->count;
  }
  const TokenCounts table = count_corpus(job.corpus, options);
  log_notes(table.notes, job);
  if (!shard) return to_json(table);
  // Another shard may be counted with another file of the same name, or on another day.
  TextOptions text = job.corpus.text;
  text.chat_template = ChatFormat(text, job.tokenizer.get()).fingerprint();
  return to_json(ShardCounts{.table = table, .shard = *shard, .text = text});
}

TokenCounts count_job(const CountArguments& arguments) {
  const RunConfig config =
      with_chat_date(load_config(arguments.config->file, arguments.config->settings,
                                 {"model_path", "tokenizer_path", "train_files"}));
  const Job job = load_job(config, corpus_progress);
  log_empty_documents(job.data.train->corpus().document_counts);
  return job.loss.table;
}

TokenCounts merge(const std::vector<std::string>& files) {
  std::vector<NamedShardCounts> shards;
  for (const std::string& file : files) shards.push_back({file, load_shard_counts(file)});
  return merge_token_counts(shards);
}

void require_consistent(const CountArguments& arguments) {
  const bool has_config = !arguments.config->file.empty();
  if (!arguments.shards.empty()) {
    if (has_config || !arguments.files.empty() || arguments.shard ||
        !arguments.config->settings.empty()) {
      throw ConfigError(
          "count --merge takes tables and --output alone: the shards say how they were counted");
    }
    return;
  }
  if (has_config == !arguments.files.empty()) {
    throw ConfigError(
        "count takes --config run.json, or --tokenizer_path T and FILE…, or --merge TABLE…");
  }
  if (has_config && arguments.shard) {
    throw ConfigError(
        "count --shard takes --tokenizer_path T and FILE…, not --config: the targets of a job are "
        "not counted in parts");
  }
}

std::string counted_json(const CountArguments& arguments) {
  if (!arguments.shards.empty()) return to_json(merge(arguments.shards));
  if (arguments.files.empty()) return to_json(count_job(arguments));
  return count_files(arguments);
}

void run_count(const CountArguments& arguments) {
  require_consistent(arguments);
  write_result(arguments.output, counted_json(arguments));
}

}  // namespace

void add_count_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "count",
      "Make a frequency table: of a job (--config), of every token of FILE… (--tokenizer_path), or "
      "of the shards of a corpus (--merge)");
  auto arguments = std::make_shared<CountArguments>();
  arguments->config = add_config_arguments(*command, text_keys());
  command->add_option("--output", arguments->output, "file for the table; without it, stdout")
      ->type_name("FILE");
  command
      ->add_option("--shard", arguments->shard,
                   "count part I of N of FILE… alone, I from 0 to N-1; --merge adds the parts up")
      ->type_name("I/N");
  command
      ->add_option("--merge", arguments->shards,
                   "add up the tables of all shards of a corpus, in any order")
      ->type_name("TABLE...")
      ->expected(1, kMaxFiles);
  command->add_option("FILE", arguments->files,
                      "files of the reference corpus; - is standard input");
  command->callback([arguments] { run_count(*arguments); });
}

}  // namespace pdl
