#include "chat_files.h"

#include <algorithm>
#include <array>
#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "tokenizer_json/json_document.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxTemplateBytes = int64_t{4} << 20;
constexpr int64_t kMaxMapBytes = int64_t{16} << 20;

// Those that transformers passes to a template.
constexpr std::array<const char*, 7> kSpecialTokens = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) && !error;
}

void add_file(const std::string& use, const fs::path& path, ChatFiles& files) {
  files.templates.push_back(
      {use, path.string(), read_file<ModelError>("chat template", path, kMaxTemplateBytes)});
}

void add_files(const fs::path& folder, ChatFiles& files) {
  if (is_there(folder / "chat_template.jinja")) {
    add_file("default", folder / "chat_template.jinja", files);
  }
  std::error_code error;
  std::vector<fs::path> others;
  for (fs::directory_iterator entry(folder / "additional_chat_templates", error), end;
       !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".jinja") others.push_back(entry->path());
  }
  std::sort(others.begin(), others.end());
  for (const fs::path& path : others) add_file(path.stem().string(), path, files);
}

// A string, or a list of {"name": …, "template": …}.
void add_config(const TokenizerConfig& config, const fs::path& path, ChatFiles& files) {
  ObjectReader reader(config.root, config.blame);
  const JsonValue* value = reader.find("chat_template");
  if (value == nullptr) return;
  if (value->is_string()) {
    files.templates.push_back({"default", path.string(), value->text()});
    return;
  }
  const JsonValue& list = reader.required("chat_template", JsonValue::Kind::kArray);
  for (size_t i = 0; i < list.items().size(); ++i) {
    ObjectReader entry(list.items()[i], config.blame, element_place("chat_template", i));
    const std::string use = entry.string("name");
    files.templates.push_back({use, path.string() + " (" + use + ")", entry.string("template")});
  }
}

// A token is a string, or an object with the string as its content.
void add_special_tokens(ObjectReader reader, ChatFiles& files) {
  for (const char* name : kSpecialTokens) {
    const JsonValue* value = reader.find(name);
    if (value == nullptr) continue;
    std::string content = value->is(JsonValue::Kind::kObject)
                              ? ObjectReader(*value, reader.blame(), name).string("content")
                              : reader.string(name);
    const auto same = std::find_if(files.special_tokens.begin(), files.special_tokens.end(),
                                   [&](const auto& token) { return token.first == name; });
    if (same == files.special_tokens.end()) {
      files.special_tokens.emplace_back(name, std::move(content));
    } else {
      same->second = std::move(content);
    }
  }
}

void add_special_tokens_map(const fs::path& path, ChatFiles& files) {
  if (!is_there(path)) return;
  const auto blame =
      JsonBlame::of<ModelError>("special tokens '" + path.string() + "' cannot be used: ");
  const std::string content = read_file<ModelError>("special tokens", path, kMaxMapBytes);
  const JsonValue root = tokenizer_json::parse_document(content, blame);
  add_special_tokens(ObjectReader(root, blame), files);
}

}  // namespace

ChatFiles read_chat_files(const fs::path& tokenizer, const std::optional<TokenizerConfig>& config) {
  const fs::path folder = tokenizer.parent_path();
  ChatFiles files;
  add_files(folder, files);
  if (files.templates.empty() && config) {
    add_config(*config, folder / "tokenizer_config.json", files);
  }
  bool lists_added_tokens = false;
  if (config) {
    ObjectReader reader(config->root, config->blame);
    lists_added_tokens = reader.find("added_tokens_decoder") != nullptr;
    add_special_tokens(reader, files);
  }
  if (!lists_added_tokens) add_special_tokens_map(folder / "special_tokens_map.json", files);
  return files;
}

}  // namespace pdl
