#include "token_stream.h"

#include "pdl/base/unicode.h"

namespace pdl::jinja {
namespace {

std::string description_of(const Token& token) {
  switch (token.kind) {
    case TokenKind::kData:
      return "text";
    case TokenKind::kOutputBegin:
      return "'{{'";
    case TokenKind::kOutputEnd:
      return "'}}'";
    case TokenKind::kStatementBegin:
      return "'{%'";
    case TokenKind::kStatementEnd:
      return "'%}'";
    case TokenKind::kString:
      return "a string";
    case TokenKind::kEnd:
      return "the end of the template";
    default:
      return "'" + printable(token.text, 40) + "'";
  }
}

}  // namespace

void TokenStream::fail_expected(const std::string& what) const {
  fail("has " + description_of(current()) + " where " + what + " is expected");
}

}  // namespace pdl::jinja
