// Turns the messages of a chat into the text on which a chat model is trained.
#pragma once

#include <string>
#include <vector>

#include "pdl/corpus/chat_format.h"
#include "pdl/corpus/document.h"

namespace pdl {

// UTF-8.
struct ChatMessage {
  std::string role;  // system, user, assistant or tool
  std::string content;
  bool trained = true;  // false: no token of this turn, whatever else is trained
};

// Returns the document of a chat. Its text is, byte for byte, that of the published template
// (transformers' apply_chat_template without a generation prompt). Each control token is a separate
// part:
//
//   chatml  <|im_start|>ROLE\nCONTENT<|im_end|>\n for each message (OpenHermes 2.5)
//   llama2  <s>[INST] CONTENT [/INST] for a user, ` CONTENT </s>` for an assistant, in turns; a
//           system message comes first and goes, in <<SYS>>, into the user message after it. The
//           content of the turns, not of the system message, is trimmed (Llama-2-7b-chat)
//   llama3  <|begin_of_text|>, then for each message, trimmed (Meta-Llama-3-8B-Instruct),
//           <|start_header_id|>ROLE<|end_header_id|>\n\nCONTENT<|eot_id|>
//   plain   this program's own, for models without control tokens: `ROLE: CONTENT\n` with the roles
//           System, User and Assistant
//
// Trained are the content of assistant messages and the token that ends their turn: in llama2 `
// CONTENT ` and </s>, in plain ` CONTENT\n`. Without `completion_only_loss` all parts are trained.
// A message that is not `trained` is left out of both; in llama2 a system message belongs to the
// turn of the user after it. The parts are always the same, so that the tokens are too. No part is
// empty.
//
// With `prompts_answer` the parts end with what begins the assistant's next message: in chatml
// <|im_start|>assistant\n, in llama2 nothing, in llama3
// <|start_header_id|>assistant<|end_header_id|> and an empty line, in plain `Assistant:`.
//
// Throws DataError, with the number of the message (from 1) but no file, for an empty list, an
// unknown role (tool is known to chatml and llama3), and what the template of llama2 refuses or
// would drop: roles that do not alternate, a system message that is not the first or is the only
// one.
Document format_chat(const std::vector<ChatMessage>& messages, ChatTemplate chat_template,
                     bool completion_only_loss, bool prompts_answer = false);

}  // namespace pdl
