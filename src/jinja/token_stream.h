// The tokens of a template one after another. Private to the module.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lexer.h"

namespace pdl::jinja {

class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[at_]; }
  // The one after it; kEnd again after the last.
  const Token& next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  int line() const { return current().line; }

  // Returns the current token and goes on.
  const Token& take() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool skip_operator(std::string_view written) {
    if (!current().is_operator(written)) return false;
    take();
    return true;
  }
  bool skip_name(std::string_view name) {
    if (!current().is_name(name)) return false;
    take();
    return true;
  }
  void expect_operator(std::string_view written) {
    if (!skip_operator(written)) fail_expected("'" + std::string(written) + "'");
  }
  void expect(TokenKind kind, const std::string& what) {
    if (current().kind != kind) fail_expected(what);
    take();
  }
  std::string expect_name() {
    if (current().kind != TokenKind::kName) fail_expected("a name");
    return take().text;
  }

  [[noreturn]] void fail(const std::string& message) const { throw SyntaxError{line(), message}; }
  [[noreturn]] void fail_expected(const std::string& what) const;

 private:
  std::vector<Token> tokens_;
  size_t at_ = 0;
};

}  // namespace pdl::jinja
