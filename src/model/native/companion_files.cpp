#include "companion_files.h"

#include <algorithm>
#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/file.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "config.json";
// Of transformers' models, tokenizers and chat templates.
constexpr const char* kFiles[] = {"generation_config.json",
                                  "tokenizer.json",
                                  "tokenizer_config.json",
                                  "tokenizer.model",
                                  "special_tokens_map.json",
                                  "added_tokens.json",
                                  "vocab.json",
                                  "merges.txt",
                                  "vocab.txt",
                                  "spiece.model",
                                  "sentencepiece.bpe.model",
                                  "tekken.json",
                                  "chat_template.jinja",
                                  "chat_template.json"};
constexpr const char* kTemplatesFolder = "additional_chat_templates";

CompanionFile read(const fs::path& folder, const std::string& name) {
  return {name, read_file<ModelError>("file", folder / name)};
}

}  // namespace

std::vector<CompanionFile> read_companion_files(const fs::path& folder) {
  std::error_code ignored;
  std::vector<CompanionFile> files = {read(folder, kConfigFile)};
  for (const char* name : kFiles) {
    if (fs::is_regular_file(folder / name, ignored)) files.push_back(read(folder, name));
  }
  std::vector<std::string> templates;
  for (const auto& entry : fs::directory_iterator(folder / kTemplatesFolder, ignored)) {
    if (entry.path().extension() == ".jinja")
      templates.push_back((fs::path(kTemplatesFolder) / entry.path().filename()).string());
  }
  std::ranges::sort(templates);
  for (const std::string& name : templates) files.push_back(read(folder, name));
  return files;
}

}  // namespace pdl
