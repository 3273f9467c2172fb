// Documents, of which a corpus consists, whatever kind of file they come from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pdl {

// A piece of a document's text, UTF-8.
struct DocumentPart {
  std::string text;
  bool trained = true;  // whether its tokens are targets
  // The text is the written form of a control token of a chat template, such as <|im_end|>.
  bool is_control = false;
  // Of a chat: it is the assistant's, content or end of turn. No token belongs to such a part and
  // to another, whichever of them are trained.
  bool is_response = false;
  // Of a rendered chat: the first control token after the part, if only white space lies between,
  // is trained as the part is.
  bool takes_end = false;
};

// The text of a document is that of its parts joined; `trained` may change from part to part.
struct Document {
  std::vector<DocumentPart> parts;
  // A chat has its own control tokens: bos and eos are not added.
  bool is_chat = false;
  // A chat that a template in Jinja has rendered: its tokens are those of the whole text, whatever
  // parts it has. A token that reaches into the assistant's parts is trained as they are.
  bool is_rendered = false;
  // The assistant's turns that call tools, and whose calls are not trained because the template
  // does not say where they are.
  int64_t untrained_calls = 0;
  // The names of the record's fields that hold something and of which nothing is made.
  std::vector<std::string> other_fields = {};
};

}  // namespace pdl
