// The text of a sample while it grows, and the stop strings in it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pdl/tokenizer/text_stream.h"

namespace pdl {

class GrowingText {
 public:
  // `tokenizer` and `stop_strings` must outlive it.
  GrowingText(const Tokenizer& tokenizer, std::span<const int32_t> prompt,
              std::span<const std::string> stop_strings);

  // Takes the next id. Returns whether a stop string is in the text now: then it ends before the
  // first one, and nothing more may be pushed.
  bool push(int32_t id);
  // Ends the text; nothing may be pushed after it.
  void finish();

  // Returns what has been added since the last call to the part of the text that stays as it is,
  // whatever comes.
  std::string take_certain();
  // Returns the text; only after finish() or a stop string.
  const std::string& whole() const { return text_; }

 private:
  bool cut_at_stop(const std::string& text);
  size_t certain_size() const;

  const Tokenizer& tokenizer_;
  std::span<const std::string> stop_strings_;
  TextStream stream_;
  std::vector<int32_t> ids_;  // with the prompt's, if there are stop strings
  std::string prompt_text_;   // likewise
  std::string text_;          // what the stream has given
  size_t taken_ = 0;
  bool is_whole_ = false;
};

}  // namespace pdl
