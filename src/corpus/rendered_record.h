// Records with a chat that a template in Jinja renders. Private to the module.
#pragma once

#include <optional>
#include <string_view>

#include "pdl/config/run_config.h"
#include "pdl/corpus/chat_format.h"
#include "pdl/corpus/document.h"

namespace pdl {

// Returns nullopt for what is no such record: the reader of all others then says what is wrong.
// Throws DataError, without the place of the line, for messages that are none, and what
// render_chat() throws. `chats` is a template in Jinja; `prompts_answer` as there.
std::optional<Document> parse_rendered_record(std::string_view line, const TextOptions& options,
                                              const ChatFormat& chats, bool prompts_answer = false);

}  // namespace pdl
