#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/file_job.h"
#include "cli/output.h"
#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/json.h"
#include "pdl/run/chat_date.h"
#include "pdl/run/dataset.h"
#include "pdl/tokenizer/text_stream.h"
#include "pdl/tokenizer/tokenizer.h"
#include "pdl/tokens/sequences.h"

namespace pdl {
namespace {

struct TokenizeArguments {
  std::shared_ptr<ConfigArguments> config;
  std::vector<std::string> files;
  std::string decoded;  // a file of ids
};

// A byte piece need not be UTF-8, so its invalid bytes are replaced.
std::string to_line(std::span<const Token> tokens, bool first_is_target,
                    const Tokenizer* tokenizer) {
  nlohmann::ordered_json object;
  object["ids"] = nlohmann::ordered_json::array();
  object["pieces"] = nlohmann::ordered_json::array();
  object["trained"] = nlohmann::ordered_json::array();
  for (const Token& token : tokens) {
    object["ids"].push_back(token.id());
    object["pieces"].push_back(tokenizer == nullptr ? "" : tokenizer->piece(token.id()));
    object["trained"].push_back(token.is_trained() ? 1 : 0);
  }
  if (!first_is_target) object["trained"].front() = 0;
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void tokenize_documents(const TokenizeArguments& arguments) {
  const FileJob job = load_file_job(arguments.config->settings, arguments.files);
  std::vector<Token> document;  // the one that began in an earlier block
  const CorpusSummary summary = for_each_block(
      job.corpus, {.num_threads = job.num_threads}, [&](int64_t, const BlockTokens& block) {
        auto begin = block.tokens.begin();
        for (const int64_t end : block.document_ends) {
          document.insert(document.end(), begin, block.tokens.begin() + end);
          write_result("", to_line(document, /*first_is_target=*/true, job.tokenizer.get()));
          document.clear();
          begin = block.tokens.begin() + end;
        }
        document.insert(document.end(), begin, block.tokens.end());
      });
  log_empty_documents(summary.document_counts);
  log_notes(summary.notes, job);
}

void tokenize_rows(const TokenizeArguments& arguments) {
  const RunConfig config = with_chat_date(load_config(
      arguments.config->file, arguments.config->settings, {"tokenizer_path", "train_files"}));
  const auto tokenizer =
      config.tokenizer_path.empty() ? nullptr : load_tokenizer(config.tokenizer_path);
  TokenCache cache("");
  const Sequences rows(cache.tokenize({.files = config.train_files,
                                       .text = config.text,
                                       .tokenizer = tokenizer.get(),
                                       .vocab_size = tokenizer ? tokenizer->size() : INT32_MAX},
                                      {.num_threads = text_threads(config.num_threads)}),
                       config.sequences, corpus_name("train_files", config.train_files));
  log_empty_documents(rows.corpus().document_counts);
  const CorpusNotes& notes = rows.corpus().notes;
  log_corpus_notes(notes, tokenizer.get(), config.text, "train_files");
  log_declared_tokens(notes.bounded, tokenizer.get(), config.text);
  for (int64_t row = 0; row < rows.size(); ++row) {
    write_result("", to_line(rows.tokens(row), /*first_is_target=*/false, tokenizer.get()));
  }
}

// The ids of a line that tokenize or generate wrote. Throws DataError.
std::vector<int32_t> ids_of(std::string_view line, const std::string& place, int64_t vocab_size) {
  const JsonBlame blame = JsonBlame::of<DataError>(place + ": ");
  const JsonValue value = parse_json(line, {}, blame);
  ObjectReader object(value, blame);
  const std::vector<int64_t> ids = object.integers("ids", 0, vocab_size - 1);
  return {ids.begin(), ids.end()};
}

// The text of each line's ids, put together as generate does it.
void decode_lines(const TokenizeArguments& arguments) {
  const RunConfig config = load_config("", arguments.config->settings, {"tokenizer_path"});
  const auto tokenizer = load_tokenizer(config.tokenizer_path);
  const std::string content = read_file<DataError>("ids", arguments.decoded);
  int64_t number = 0;
  for (std::string_view rest = content; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::string place = "'" + arguments.decoded + "' line " + std::to_string(++number);
    TextStream stream(*tokenizer, {});
    nlohmann::ordered_json object;
    std::string text;
    for (const int32_t id : ids_of(line, place, tokenizer->size())) text += stream.push(id);
    object["text"] = text + stream.finish();
    write_result(
        "", object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  }
}

void run_tokenize(const TokenizeArguments& arguments) {
  if (!arguments.decoded.empty()) {
    if (!arguments.files.empty() || !arguments.config->file.empty())
      throw ConfigError("--decode: takes a file of its own; give no --config and no FILE");
    for (const FlagSetting& setting : arguments.config->settings) {
      if (setting.key != "tokenizer_path")
        throw ConfigError("--" + std::string(setting.key) + ": does nothing with --decode");
    }
    return decode_lines(arguments);
  }
  if (arguments.config->file.empty() == arguments.files.empty()) {
    throw ConfigError("tokenize takes either --config run.json or --tokenizer_path T and FILE…");
  }
  if (arguments.files.empty()) {
    tokenize_rows(arguments);
  } else {
    tokenize_documents(arguments);
  }
}

}  // namespace

void add_tokenize_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("tokenize",
                                         "Print what the model will see: each document of FILE…, "
                                         "or each training sequence of a job (--config)");
  auto arguments = std::make_shared<TokenizeArguments>();
  arguments->config = add_config_arguments(*command, text_keys());
  command->add_option("FILE", arguments->files, "files of the formats of train_files");
  command
      ->add_option("--decode", arguments->decoded,
                   "print the text of each line of this file, JSON objects with ids")
      ->type_name("FILE");
  command->callback([arguments] { run_tokenize(*arguments); });
}

}  // namespace pdl
