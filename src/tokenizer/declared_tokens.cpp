#include "declared_tokens.h"

#include <algorithm>
#include <string_view>
#include <system_error>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/unicode.h"
#include "tokenizer_json/json_document.h"

namespace pdl {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxConfigBytes = int64_t{16} << 20;

std::optional<DeclaredToken> read_flag(ObjectReader& config, const std::string& key) {
  if (config.find(key) == nullptr) return std::nullopt;
  const bool is_added = config.boolean(key);
  return DeclaredToken{is_added,
                       "tokenizer_config.json has " + key + (is_added ? " true" : " false")};
}

// The member of an object; nullptr if there is none.
const JsonValue* member(const JsonValue& object, std::string_view key) {
  const auto found = std::find(object.keys().begin(), object.keys().end(), key);
  if (found == object.keys().end()) return nullptr;
  return &object.items()[static_cast<size_t>(found - object.keys().begin())];
}

const std::string* string_member(const JsonValue& object, std::string_view key) {
  const JsonValue* value = member(object, key);
  return value != nullptr && value->is_string() ? &value->text() : nullptr;
}

DeclaredToken put_there(const std::string& token, const char* where) {
  return {true, "the post_processor of tokenizer.json puts " + printable(token) + " " + where +
                    " each text"};
}

// `single` is a list of {"SpecialToken": {"id": "<s>", …}} and {"Sequence": …}, the text.
void read_template(const JsonValue& single, DeclaredTokens& declared) {
  bool is_before = true;
  for (const JsonValue& piece : single.items()) {
    if (member(piece, "Sequence") != nullptr) is_before = false;
    const JsonValue* special = member(piece, "SpecialToken");
    const std::string* token = special == nullptr ? nullptr : string_member(*special, "id");
    if (token == nullptr) continue;
    if (is_before) {
      declared.bos = put_there(*token, "before");
    } else {
      declared.eos = put_there(*token, "after");
    }
  }
}

// ["<s>", 0] -> "<s>".
const std::string* token_of_pair(const JsonValue* pair) {
  const bool has_text = pair != nullptr && !pair->items().empty() && pair->items()[0].is_string();
  return has_text ? &pair->items()[0].text() : nullptr;
}

void read_processor(const JsonValue& processor, DeclaredTokens& declared) {
  const std::string* type = string_member(processor, "type");
  if (type == nullptr) return;
  if (*type == "Sequence") {
    const JsonValue* processors = member(processor, "processors");
    if (processors == nullptr) return;
    for (const JsonValue& next : processors->items()) read_processor(next, declared);
  } else if (*type == "TemplateProcessing") {
    const JsonValue* single = member(processor, "single");
    if (single != nullptr) read_template(*single, declared);
  } else if (*type == "BertProcessing" || *type == "RobertaProcessing") {
    const std::string* begin = token_of_pair(member(processor, "cls"));
    const std::string* end = token_of_pair(member(processor, "sep"));
    if (begin != nullptr) declared.bos = put_there(*begin, "before");
    if (end != nullptr) declared.eos = put_there(*end, "after");
  }
}

}  // namespace

std::optional<TokenizerConfig> read_tokenizer_config(const fs::path& tokenizer) {
  const fs::path path = tokenizer.parent_path() / "tokenizer_config.json";
  std::error_code error;
  if (!fs::exists(path, error) && !error) return std::nullopt;
  const auto blame =
      JsonBlame::of<ModelError>("tokenizer config '" + path.string() + "' cannot be used: ");
  const std::string content = read_file<ModelError>("tokenizer config", path, kMaxConfigBytes);
  return TokenizerConfig{blame, tokenizer_json::parse_document(content, blame)};
}

DeclaredTokens declared_by_config(const TokenizerConfig& config) {
  ObjectReader reader(config.root, config.blame);
  return {read_flag(reader, "add_bos_token"), read_flag(reader, "add_eos_token")};
}

DeclaredTokens declared_by_post_processor(const JsonValue& post_processor) {
  DeclaredTokens declared;
  read_processor(post_processor, declared);
  return declared;
}

}  // namespace pdl
