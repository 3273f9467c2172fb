// Chats that a template in Jinja renders. Private to the module.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pdl/base/json.h"
#include "pdl/corpus/chat_format.h"
#include "pdl/corpus/document.h"

namespace pdl {

// A record with a chat, of whatever a template may see.
struct ChatRecord {
  struct Message {
    const JsonValue* fields = nullptr;  // an object with the string "role"
    bool trained = true;
  };

  std::vector<Message> messages;
  const JsonValue* tools = nullptr;      // nullptr: none
  const JsonValue* documents = nullptr;  // nullptr: none
  const JsonValue* variables = nullptr;  // an object; nullptr: none
};

// Returns the document of a chat: the text is that of transformers' apply_chat_template without a
// generation prompt. Fields of a message that are null, "weight" and "train" are left out.
//
// Trained is what the template marks by {% generation %}. A template that marks nothing has this
// trained: what it has made of the content of each assistant's message, from the first to the last
// byte that came from it, and the control token after it; of an empty content that token alone,
// unless calls of tools follow. Where the content, without white space
// around it, stands in the text as it is in the record, it is trained as a whole. Without
// `completion_only_loss` everything is trained but for messages that are not `trained`.
//
// Throws DataError, with the number of the message but no file, if that place is ambiguous: bytes
// of other messages lie within it, or the template has computed a text of several messages; and
// what ChatFormat and its template throw.
//
// With `prompts_answer` the template gets add_generation_prompt true.
Document render_chat(const ChatRecord& record, const ChatFormat& format, bool completion_only_loss,
                     bool prompts_answer = false);

}  // namespace pdl
