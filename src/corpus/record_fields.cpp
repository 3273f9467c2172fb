#include "record_fields.h"

#include <algorithm>
#include <array>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

// Fields that other programs read beside the messages or the prompt: without what they say, the
// chat would be another one, or be trained otherwise. Nobody reads them beside a text.
constexpr std::array<std::string_view, 36> kPartsOfAConversation = {
    // What the templates of models take.
    "tools", "functions", "function_call", "tool_calls", "tool_choice", "parallel_tool_calls",
    "custom_tools", "builtin_tools", "documents", "chat_template", "chat_template_kwargs",
    "add_generation_prompt", "continue_final_message", "reasoning", "reasoning_content", "thinking",
    "enable_thinking",
    // Parts of a prompt.
    "system", "system_prompt", "instruction", "input", "context", "history", "image", "images",
    "video", "videos", "audio", "audios",
    // What is preferred, and what is not.
    "chosen", "rejected", "label", "labels", "kto_tag",
    // Masks of tokens.
    "completion_mask", "assistant_masks"};

constexpr std::array<std::string_view, 3> kSeenByTemplates = {"tools", "documents",
                                                              "chat_template_kwargs"};

}  // namespace

std::string in_quotes(std::string_view name) { return "'" + printable(name) + "'"; }

bool is_seen_by_template(std::string_view name) {
  return std::find(kSeenByTemplates.begin(), kSeenByTemplates.end(), name) !=
         kSeenByTemplates.end();
}

void require_one_kind(const RecordFields& fields, const TextOptions& options) {
  const bool is_completion = fields.prompt || fields.completion;
  const std::string& half = fields.prompt ? options.prompt_field : options.completion_field;
  std::vector<std::string> found;
  if (fields.text) found.push_back(in_quotes(options.text_field));
  if (is_completion) found.push_back(in_quotes(half));
  if (fields.messages) found.push_back(in_quotes(options.messages_field));
  if (found.empty()) {
    throw DataError("has none of the fields " + in_quotes(options.text_field) + ", " +
                    in_quotes(options.prompt_field) + " with " +
                    in_quotes(options.completion_field) + ", and " +
                    in_quotes(options.messages_field) +
                    "; name the field with --text_field or another of these keys");
  }
  if (found.size() > 1) {
    throw DataError("has the fields " + found[0] + " and " + found[1] +
                    ", which are of two kinds of record; keep one of them");
  }
  if (is_completion && !(fields.prompt && fields.completion)) {
    const std::string& other = fields.prompt ? options.completion_field : options.prompt_field;
    throw DataError("has the field " + in_quotes(half) + " but not " + in_quotes(other));
  }
}

void require_no_more_to_say(const RecordFields& fields, bool is_rendered) {
  for (const std::string& name : fields.others) {
    const bool counts =
        !fields.text && std::find(kPartsOfAConversation.begin(), kPartsOfAConversation.end(),
                                  name) != kPartsOfAConversation.end();
    if (!counts && name != "input_ids") continue;
    if (is_rendered && is_seen_by_template(name)) continue;
    throw DataError("the field " + in_quotes(name) +
                    " changes what a record means, and is not supported; leave it out, or write "
                    "what it says into the text");
  }
}

}  // namespace pdl
