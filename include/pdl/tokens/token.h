// One token of a corpus.
#pragma once

#include <cstdint>

namespace pdl {

// An id and whether the token may be a target. It takes four bytes because corpora are long and
// kept in files.
class Token {
 public:
  Token() = default;
  explicit Token(int32_t id, bool trained = true) : value_(trained ? id : ~id) {}

  // At least 0.
  int32_t id() const { return value_ < 0 ? ~value_ : value_; }
  // False for the prompts of completions and the turns of a chat that are not the assistant's.
  bool is_trained() const { return value_ >= 0; }

  bool operator==(const Token&) const = default;

 private:
  int32_t value_ = 0;  // the id, or its complement (negative) if the token is not trained
};

}  // namespace pdl
