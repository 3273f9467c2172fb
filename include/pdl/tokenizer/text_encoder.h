// Encodes text at the speed of a hash table: a pre-token that was met before is not encoded again.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "pdl/tokenizer/tokenizer.h"

namespace pdl {

// Gives the same ids as tokenizer.encode(). For one thread; `tokenizer` must outlive it. Its memory
// is bounded: past about 64 MB it forgets what it met.
class TextEncoder {
 public:
  explicit TextEncoder(const Tokenizer& tokenizer);
  ~TextEncoder();
  TextEncoder(const TextEncoder&) = delete;
  TextEncoder& operator=(const TextEncoder&) = delete;

  // Appends the ids of well-formed UTF-8 `text`: of a whole document (`begins`), of a text that
  // continues another or, if tokenizer.has_words(), of a part of a document between cuts.
  void encode(std::string_view text, bool begins, std::vector<int32_t>& ids);

 private:
  bool encode_pieces(std::string_view text, bool begins, std::vector<int32_t>& ids);
  bool encode_words(std::string_view text, bool begins, std::vector<int32_t>& ids);

  struct State;
  const Tokenizer& tokenizer_;
  std::unique_ptr<State> state_;
};

}  // namespace pdl
