// A line of a JSONL file: texts, prompts with completions, and chats in every template.
#include <algorithm>

#include "fuzz_target.h"
#include "pdl/base/error.h"
#include "pdl/base/unicode.h"
#include "pdl/corpus/jsonl.h"

namespace pdl {
namespace {

std::string whole_text(const Document& document) {
  std::string text;
  for (const DocumentPart& part : document.parts) text += part.text;
  return text;
}

void check_document(const Document& document) {
  for (const DocumentPart& part : document.parts) {
    require(find_invalid_utf8(part.text) == std::string_view::npos, "a part is UTF-8");
    require(!document.is_chat || document.is_rendered || !part.text.empty(),
            "no part of a chat is empty");
    require(document.is_chat || !part.is_control, "only a chat has control tokens");
  }
}

void check_record(std::string_view line, TextOptions options) {
  const auto parse = [&](std::string_view text) {
    return accepted<DataError>([&] {
      return parse_record(text, options, ChatFormat(options, nullptr), {"f.jsonl", 3});
    });
  };
  const auto document = parse(line);
  if (document) check_document(*document);
  options.completion_only_loss = false;
  const auto other = parse(std::string(line) + (line.ends_with('\r') ? "" : "\r"));
  require(document.has_value() == other.has_value(),
          "what is trained on does not decide what is accepted");
  if (!document) return;
  require(whole_text(*document) == whole_text(*other), "what is trained on changes no text");
  if (document->is_rendered) return;
  require(document->parts.size() == other->parts.size(), "what is trained on changes no part");
  const bool trains_any = std::ranges::any_of(other->parts, &DocumentPart::trained);
  for (size_t i = 0; i < document->parts.size(); ++i) {
    require(!document->parts[i].trained || other->parts[i].trained,
            "what is trained of completions alone is trained of everything");
    require(document->is_chat || other->parts[i].trained == trains_any,
            "a record that is no chat is trained as a whole or not at all");
  }
}

// A template that takes a content apart, and shows everything that it sees.
const std::string& path_of_template() {
  static const std::string kPath = input_file("fuzz.jinja", R"({%- for m in messages -%}
{{ '<|' ~ m.role ~ '|>' ~ (m.content ~ '').split('</t>')[-1].strip() ~ '<|end|>' }}
{{- m.tool_calls | default('') | tojson }}{{ m.thinking }}
{%- endfor -%}{{ tools | tojson }}{{ documents }}{{ extra }})");
  return kPath;
}

}  // namespace
}  // namespace pdl

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pdl;
  for (const ChatTemplate chat_template : {ChatTemplate::kChatMl, ChatTemplate::kLlama2,
                                           ChatTemplate::kLlama3, ChatTemplate::kPlain}) {
    TextOptions options;
    options.chat_template = name_of(chat_template);
    check_record(text_of(data, size), options);
  }
  TextOptions options;
  options.chat_template = path_of_template();
  check_record(text_of(data, size), options);
  return 0;
}
