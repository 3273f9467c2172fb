#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/file_job.h"
#include "cli/output.h"
#include "pdl/base/error.h"
#include "pdl/data/rows.h"
#include "pdl/text/tokenizer.h"

namespace pdl {
namespace {

struct TokenizeArguments {
  std::shared_ptr<ConfigArguments> config;
  std::vector<std::string> files;
};

// One line: ids, pieces, and whether each token is a target. A byte piece need not be UTF-8.
std::string to_line(std::span<const int32_t> ids, bool first_is_target,
                    const Tokenizer& tokenizer) {
  nlohmann::ordered_json object;
  object["ids"] = ids;
  object["pieces"] = nlohmann::ordered_json::array();
  for (const int32_t id : ids) object["pieces"].push_back(tokenizer.piece(id));
  std::vector<int> trained(ids.size(), 1);
  if (!first_is_target) trained.front() = 0;
  object["trained"] = trained;
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void tokenize_documents(const TokenizeArguments& arguments) {
  const FileJob job = load_file_job(arguments.config->settings, arguments.files);
  for_each_document(job.files, job.text.text_document, [&](std::string_view text) {
    write_result("", to_line(encode_document(text, job.text, *job.tokenizer),
                             /*first_is_target=*/true, *job.tokenizer));
  });
}

void tokenize_rows(const TokenizeArguments& arguments) {
  const RunConfig config = load_config(arguments.config->file, arguments.config->settings,
                                       {"tokenizer_path", "train_files"});
  const auto tokenizer = load_tokenizer(config.tokenizer_path);
  const Rows rows(tokenize_corpus(config.train_files, config.text, *tokenizer), config.rows);
  for (int64_t row = 0; row < rows.size(); ++row) {
    write_result("", to_line(rows.tokens(row), /*first_is_target=*/false, *tokenizer));
  }
}

void run_tokenize(const TokenizeArguments& arguments) {
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
                                         "or each training row of a job (--config)");
  auto arguments = std::make_shared<TokenizeArguments>();
  arguments->config = add_config_arguments(*command, text_keys());
  command->add_option("FILE", arguments->files, "text files");
  command->callback([arguments] { run_tokenize(*arguments); });
}

}  // namespace pdl
