#include "pdl/run/prompts.h"

#include <algorithm>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/unicode.h"
#include "pdl/corpus/chat_format.h"
#include "pdl/corpus/jsonl.h"
#include "pdl/tokens/encode_prompt.h"

namespace pdl {
namespace {

// Calls visit(line, number) for each line, without \n; numbers are from 1.
template <class Visit>
void for_each_line(std::string_view text, const Visit& visit) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    visit(text.substr(0, end), number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void require_some(const std::vector<PromptDocument>& prompts, const std::string& name) {
  if (prompts.empty()) throw DataError(name + " has no prompt");
}

}  // namespace

std::vector<PromptDocument> split_prompts(std::string_view text, const std::string& name) {
  std::vector<PromptDocument> prompts;
  for_each_line(text, [&](std::string_view line, int64_t number) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    PromptDocument& prompt = prompts.emplace_back();
    prompt.document.parts.push_back({std::string(line)});
    prompt.place = name + " line " + std::to_string(number);
  });
  require_some(prompts, name);
  return prompts;
}

std::vector<PromptDocument> read_prompts(const std::string& path, const TextOptions& options,
                                         const Tokenizer& tokenizer) {
  const std::string content = read_file<DataError>("prompts", path);
  const std::string name = "'" + path + "'";
  if (!path.ends_with(".jsonl")) return split_prompts(content, name);
  const ChatFormat chats(options, &tokenizer);
  std::vector<PromptDocument> prompts;
  for_each_line(content, [&](std::string_view line, int64_t number) {
    prompts.push_back({parse_prompt_record(line, options, chats, {path, number}),
                       name + " line " + std::to_string(number)});
  });
  require_some(prompts, name);
  return prompts;
}

std::vector<Prompt> encode_prompts(const std::vector<PromptDocument>& prompts,
                                   const Tokenizer& tokenizer, const TextOptions& options) {
  std::vector<Prompt> encoded;
  for (const auto& [document, place] : prompts) {
    Prompt& prompt = encoded.emplace_back();
    for (const DocumentPart& part : document.parts) prompt.text += part.text;
    const size_t invalid = find_invalid_utf8(prompt.text);
    if (invalid != std::string::npos)
      throw DataError(place + ": byte " + std::to_string(invalid) + " is not UTF-8");
    prompt.ids = encode_prompt(document, tokenizer, options);
    if (prompt.ids.empty())
      throw DataError(place + ": the prompt has no token; give it a text, or add_bos true");
  }
  return encoded;
}

}  // namespace pdl
