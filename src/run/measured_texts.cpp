#include "measured_texts.h"

#include <algorithm>
#include <unordered_map>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/base/json.h"
#include "pdl/base/unicode.h"
#include "pdl/tokenizer/text_stream.h"
#include "pdl/tokens/encode_prompt.h"

namespace pdl {
namespace {

std::vector<int32_t> ids_of(std::span<const Token> tokens) {
  std::vector<int32_t> ids;
  for (const Token token : tokens) ids.push_back(token.id());
  return ids;
}

// A line of a file of samples.
struct SampleLine {
  std::vector<int32_t> ids;
  std::string text;
  std::optional<std::string> prompt;
};

SampleLine read_line(std::string_view line, const std::string& place, int64_t vocab_size,
                     const Tokenizer& tokenizer) {
  const JsonBlame blame = JsonBlame::of<DataError>(place + ": ");
  const JsonValue root = parse_json(line, {}, blame);
  ObjectReader object(root, blame);
  SampleLine sample;
  for (const int64_t id : object.integers("ids", 0, vocab_size - 1))
    sample.ids.push_back(static_cast<int32_t>(id));
  sample.text = object.find("text") == nullptr ? continuation_text(tokenizer, {}, sample.ids)
                                               : object.string("text");
  if (object.find("prompt") != nullptr) sample.prompt = object.string("prompt");
  return sample;
}

// Ids of prompts by their text.
class PromptIds {
 public:
  PromptIds(const ContinuedPrompts& known, const Tokenizer& tokenizer, const TextOptions& options)
      : tokenizer_(tokenizer), options_(options) {
    for (const std::vector<int32_t>& ids : known.prompts)
      ids_.try_emplace(continuation_text(tokenizer, {}, ids), ids);
  }

  const std::vector<int32_t>& of(const std::string& text) {
    const auto found = ids_.find(text);
    if (found != ids_.end()) return found->second;
    Document document;
    document.parts.push_back({text});
    return ids_.emplace(text, encode_prompt(document, tokenizer_, options_)).first->second;
  }

 private:
  const Tokenizer& tokenizer_;
  const TextOptions& options_;
  std::unordered_map<std::string, std::vector<int32_t>> ids_;
};

}  // namespace

std::string continuation_text(const Tokenizer& tokenizer, std::span<const int32_t> prompt,
                              std::span<const int32_t> ids) {
  TextStream stream(tokenizer, prompt);
  std::string text;
  for (const int32_t id : ids) {
    if (id < tokenizer.size()) text += stream.push(id);
  }
  return text + stream.finish();
}

ContinuedPrompts take_excerpts(const TokenizedCorpus& corpus, const ExcerptLength& length,
                               int64_t most, const Tokenizer& tokenizer) {
  ContinuedPrompts excerpts;
  for (int64_t i = 0; i < std::ssize(corpus.document_ends); ++i) {
    if (std::ssize(excerpts.prompts) == most) break;
    const std::span<const Token> tokens = corpus.document(i);
    if (std::ssize(tokens) < length.total()) continue;
    const auto prompt_size = static_cast<size_t>(length.prompt);
    const auto size = static_cast<size_t>(length.continuation);
    const auto& prompt = excerpts.prompts.emplace_back(ids_of(tokens.first(prompt_size)));
    const auto& ids = excerpts.texts.ids.emplace_back(ids_of(tokens.subspan(prompt_size, size)));
    excerpts.texts.texts.push_back(continuation_text(tokenizer, prompt, ids));
  }
  return excerpts;
}

ContinuedPrompts read_samples(const std::filesystem::path& path, int64_t vocab_size,
                              const Tokenizer& tokenizer, const TextOptions& options,
                              const ContinuedPrompts& known) {
  const std::string content = read_file<DataError>("samples", path);
  std::string_view rest = content;
  if (rest.starts_with(kByteOrderMark)) rest.remove_prefix(kByteOrderMark.size());
  ContinuedPrompts samples;
  PromptIds prompt_ids(known, tokenizer, options);
  for (int64_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string place = "samples '" + path.string() + "' line " + std::to_string(number);
    SampleLine sample = read_line(line, place, vocab_size, tokenizer);
    samples.texts.ids.push_back(std::move(sample.ids));
    samples.texts.texts.push_back(std::move(sample.text));
    if (!sample.prompt) continue;
    const std::vector<int32_t>& prompt = prompt_ids.of(*sample.prompt);
    if (!prompt.empty()) samples.prompts.push_back(prompt);
  }
  if (samples.texts.ids.empty())
    throw DataError("samples '" + path.string() + "' has no line; give lines of JSON with ids");
  if (samples.prompts.size() < samples.texts.ids.size()) samples.prompts.clear();
  return samples;
}

}  // namespace pdl
