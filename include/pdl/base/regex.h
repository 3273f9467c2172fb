// Regular expressions (PCRE2, whose syntax includes that of Python's re) with bounded effort: an
// expression that backtracks without end gives an error instead of hanging the program.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace pdl {

// A compiled regular expression. Immutable.
class Regex {
 public:
  // Throws ConfigError, with the offset and what is wrong, for text that is not a regular
  // expression.
  explicit Regex(const std::string& expression);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  // True if the expression matches anywhere in UTF-8 `text`. Throws ConfigError if that takes too
  // many steps.
  bool search(std::string_view text) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pdl
