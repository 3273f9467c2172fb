// Regular expressions (PCRE2, whose syntax is that of Python's re and more) with bounded effort: an
// expression that backtracks without end gives an error, not a program that hangs.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace pdl {

class Regex {
 public:
  // Throws ConfigError, with the place and what is wrong, for text that is no regular expression.
  explicit Regex(const std::string& expression);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  // True if the expression matches anywhere in UTF-8 `text`. Throws ConfigError if that takes too
  // many tries.
  bool search(std::string_view text) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pdl
