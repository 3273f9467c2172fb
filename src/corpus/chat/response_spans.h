// Where the assistant's turns are in a rendered chat. Private to the module.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pdl/jinja/text.h"

namespace pdl {

// What is known of a message before it is rendered.
struct ChatTurn {
  bool is_assistant = false;
  bool trained = true;
  bool calls_tools = false;
  std::string content = "";  // if it is a string; "" otherwise
};

// The origins of the strings of message `index` in the variables of a template.
inline int32_t content_origin(size_t index) { return static_cast<int32_t>(2 * index); }
inline int32_t other_origin(size_t index) { return static_cast<int32_t>(2 * index + 1); }

// A part of the text that is trained or not, whatever is around it. Without `takes_end` it has an
// end of its own.
struct ResponseSpan {
  size_t begin = 0;
  size_t end = 0;
  bool trained = true;
  bool takes_end = true;
};

// What {% generation %} blocks rendered. Throws DataError if it is not clear to which message a
// block belongs and that matters, because some messages are not trained.
std::vector<ResponseSpan> generated_spans(const jinja::Text& text,
                                          const std::vector<ChatTurn>& turns);

// What was made of the contents of the assistant's messages or, with `of_all`, of all messages that
// are not trained as well; in the order of the text. An empty span tells the place of an empty
// content, unless it stands before calls of tools. Throws DataError for a content whose place is
// ambiguous.
std::vector<ResponseSpan> content_spans(const jinja::Text& text, const std::vector<ChatTurn>& turns,
                                        bool of_all);

}  // namespace pdl
