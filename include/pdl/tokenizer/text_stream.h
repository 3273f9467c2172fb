// The text of ids that come one by one, as a model generates them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// Gives the text of ids that continue a prompt, piece by piece. All pieces joined are exactly
//
//   tokenizer.decode(prompt + ids) without tokenizer.decode(prompt) at its begin
//
// Where the text of the prompt changes by what follows it, because it ends inside a character or
// its decoder looks ahead, the longest begin of whole characters that both texts have is left out.
// Pieces are whole characters of UTF-8, unless the pieces of the tokenizer's own file are not.
//
// A piece holds all text that no later id can change, so an id may give none, and the next one the
// text of both. In a tokenizer.json, bytes of a ByteFallback decoder wait for the next other token.
// The text that a regular expression replaces after all tokens were fused comes with finish(), as
// does that of a SentencePiece model with rules of denormalisation. Takes time in proportion to the
// number of ids. For one thread.
class TextStream {
 public:
  // `tokenizer` must outlive the stream. All functions throw what Tokenizer::decode() throws; the
  // stream must then not be used any more.
  TextStream(const Tokenizer& tokenizer, std::span<const int32_t> prompt);

  // Takes the next id and returns the text that is certain by now.
  std::string push(int32_t id);
  // Returns the rest. Nothing may be pushed after it.
  std::string finish();

 private:
  std::string without_prompt(const std::string& text);

  std::unique_ptr<DecodeStream> stream_;
  std::string rest_of_prompt_;  // its text that the stream has not given yet
};

}  // namespace pdl
