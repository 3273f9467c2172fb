// What a corpus is made of, whatever kind of file it comes from.
#pragma once

#include <string>
#include <vector>

namespace pdl {

// A piece of a document's text, UTF-8.
struct DocumentPart {
  std::string text;
  bool trained = true;  // whether its tokens are targets
  // The text is the written form of a control token of a chat template, such as <|im_end|>.
  bool is_control = false;
};

// The text is that of the parts, one after the other; a boundary between parts is where `trained`
// may change.
struct Document {
  std::vector<DocumentPart> parts;
  // A chat brings its control tokens with it: bos and eos are not added.
  bool is_chat = false;
};

}  // namespace pdl
