// The "decoder" of the file, which makes a text of tokens.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "decoder_step.h"
#include "json_document.h"

namespace pdl::tokenizer_json {

// The decoding of one sequence of tokens, step by step. For one thread.
class DecoderRun {
 public:
  explicit DecoderRun(const std::vector<MakeDecoderStep>& steps);

  // Takes a token and appends the text that no later token changes: whole characters. Throws
  // DataError if a pattern takes too many tries, or the text becomes many times as long.
  void push(std::string_view token, std::string& text);
  // Appends the rest. Nothing may be pushed after it.
  void finish(std::string& text);

 private:
  void move_made(std::string& text);

  std::string made_;  // by the last step
  TextAllowance allowance_;
  std::unique_ptr<TokenSink> first_;
};

// Immutable; may be used from several threads at once.
class Decoder {
 public:
  // `root` is the file's. What is not supported is no error here, because only decoding needs it.
  Decoder(const JsonValue& root, const JsonBlame& blame);

  // The result must not outlive this object. Throws ModelError for a decoder that is not supported.
  std::unique_ptr<DecoderRun> start() const;

 private:
  std::vector<MakeDecoderStep> steps_;
  std::string problem_;  // "": every step is supported
};

}  // namespace pdl::tokenizer_json
