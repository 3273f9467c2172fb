#include "pdl/run/prompts.h"

#include <algorithm>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/json.h"
#include "pdl/base/unicode.h"
#include "pdl/corpus/jsonl.h"

namespace pdl {
namespace {

std::string prompt_of_record(const std::string& line, const std::string& field,
                             const std::string& place) {
  constexpr JsonRules kRules = {.max_depth = 64};
  JsonValue record;
  const JsonProblem problem = try_parse_json(line, kRules, record);
  if (problem) throw DataError(place + " " + problem.phrase());
  const auto& names = record.keys();
  const auto found = std::ranges::find(names, field);
  if (!record.is(JsonValue::Kind::kObject) || found == names.end())
    throw DataError(place + ": the record has no field '" + field + "' (prompt_field)");
  const JsonValue& value = record.items()[static_cast<size_t>(found - names.begin())];
  if (!value.is_string()) throw DataError(place + ": the field '" + field + "' is not a string");
  return value.text();
}

}  // namespace

std::vector<PromptText> split_prompts(std::string_view text, const std::string& name) {
  std::vector<PromptText> prompts;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    prompts.push_back({std::string(line), name + " line " + std::to_string(prompts.size() + 1)});
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (prompts.empty()) throw DataError(name + " has no prompt");
  return prompts;
}

std::vector<PromptText> read_prompts(const std::string& path, const TextOptions& options) {
  const std::string content = read_file<DataError>("prompts", path);
  std::vector<PromptText> prompts = split_prompts(content, "'" + path + "'");
  if (!path.ends_with(".jsonl")) return prompts;
  for (PromptText& prompt : prompts)
    prompt.text = prompt_of_record(prompt.text, options.prompt_field, prompt.place);
  return prompts;
}

std::vector<Prompt> encode_prompts(const std::vector<PromptText>& texts, const Tokenizer& tokenizer,
                                   const TextOptions& options) {
  if (options.add_bos && !tokenizer.bos_id())
    throw ConfigError("add_bos: the tokenizer has no bos; leave add_bos out");
  std::vector<Prompt> prompts;
  for (const auto& [text, place] : texts) {
    const size_t invalid = find_invalid_utf8(text);
    if (invalid != std::string::npos)
      throw DataError(place + ": byte " + std::to_string(invalid) + " is not UTF-8");
    Prompt& prompt = prompts.emplace_back(text);
    if (options.add_bos) prompt.ids.push_back(*tokenizer.bos_id());
    const std::vector<int32_t> ids = tokenizer.encode(text);
    prompt.ids.insert(prompt.ids.end(), ids.begin(), ids.end());
    if (prompt.ids.empty())
      throw DataError(place + ": the prompt has no token; give it a text, or add_bos true");
  }
  return prompts;
}

}  // namespace pdl
