// Cuts the text of a template into tokens. Private to the module.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pdl::jinja {

enum class TokenKind {
  kData,            // text outside of tags, as it is rendered
  kOutputBegin,     // {{
  kOutputEnd,       // }}
  kStatementBegin,  // {%
  kStatementEnd,    // %}
  kName,
  kString,    // its value, without quotes and escapes
  kInteger,   // as it is written
  kFloat,     // as it is written
  kOperator,  // as it is written, e.g. "=="
  kEnd,       // of the template
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  int line = 1;

  bool is_operator(std::string_view written) const {
    return kind == TokenKind::kOperator && text == written;
  }
  bool is_name(std::string_view name) const { return kind == TokenKind::kName && text == name; }
};

// A template that cannot be used, for the caller to say of which.
struct SyntaxError {
  int line = 1;
  std::string message;
};

// Returns the tokens of well-formed UTF-8; the last is kEnd. White space around tags is dropped as
// Jinja does with trim_blocks and lstrip_blocks. Throws SyntaxError.
std::vector<Token> tokenize(std::string_view text);

}  // namespace pdl::jinja
