// How expressions without operators are parsed: names, constants, members, calls.

#include <algorithm>
#include <array>
#include <charconv>

#include "expression_parser.h"

namespace pdl::jinja {
namespace {

constexpr std::array<std::string_view, 6> kConstants = {"true",  "True", "false",
                                                        "False", "none", "None"};

}  // namespace

bool is_constant_name(std::string_view name) {
  return std::find(kConstants.begin(), kConstants.end(), name) != kConstants.end();
}

Expression ExpressionParser::name_or_constant() {
  const Token& token = stream_.take();
  const std::string& name = token.text;
  if (is_constant_name(name)) {
    const char initial = name.front();
    if (initial == 'n' || initial == 'N') return make(token.line, ConstantExpression{});
    return make(token.line, ConstantExpression{Value(initial == 't' || initial == 'T')});
  }
  if (name == "caller") uses_caller = true;
  if (name == "strftime_now") tree_.uses_date = true;
  if (name == "varargs" || name == "kwargs")
    stream_.fail("uses " + name + ", which is not supported");
  return make(token.line, NameExpression{symbol(name)});
}

Expression ExpressionParser::primary() {
  const Token& token = stream_.current();
  switch (token.kind) {
    case TokenKind::kName:
      return name_or_constant();
    case TokenKind::kString: {
      std::string text;
      while (stream_.current().kind == TokenKind::kString) text += stream_.take().text;
      return make(token.line, ConstantExpression{Value::string(text)});
    }
    case TokenKind::kInteger: {
      stream_.take();
      int64_t number = 0;
      const char* end = token.text.data() + token.text.size();
      if (std::from_chars(token.text.data(), end, number).ec != std::errc()) {
        stream_.fail("has a number beyond 64 bits, which is not supported");
      }
      return make(token.line, ConstantExpression{Value(number)});
    }
    case TokenKind::kFloat: {
      stream_.take();
      double number = 0;
      const char* end = token.text.data() + token.text.size();
      if (std::from_chars(token.text.data(), end, number).ec != std::errc()) {
        stream_.fail("has a number that no double holds, which is not supported");
      }
      return make(token.line, ConstantExpression{Value(number)});
    }
    default:
      break;
  }
  if (stream_.skip_operator("(")) {
    Expression inner = tuple({.may_be_empty = true});
    stream_.expect_operator(")");
    return inner;
  }
  if (token.is_operator("[")) return list();
  if (token.is_operator("{")) return dict();
  stream_.fail_expected("an expression");
}

Expression ExpressionParser::list() {
  const int line = stream_.take().line;
  std::vector<Expression> items;
  while (!stream_.current().is_operator("]")) {
    if (!items.empty()) stream_.expect_operator(",");
    if (stream_.current().is_operator("]")) break;
    items.push_back(expression());
  }
  stream_.expect_operator("]");
  return make(line, ListExpression{std::move(items), false});
}

Expression ExpressionParser::dict() {
  const int line = stream_.take().line;
  std::vector<DictMember> members;
  while (!stream_.current().is_operator("}")) {
    if (!members.empty()) stream_.expect_operator(",");
    if (stream_.current().is_operator("}")) break;
    Expression key = expression();
    stream_.expect_operator(":");
    members.push_back({std::move(key), expression()});
  }
  stream_.expect_operator("}");
  return make(line, DictExpression{std::move(members)});
}

Expression ExpressionParser::subscript(Expression value) {
  const Token& token = stream_.take();
  if (token.text == "[") return brackets(std::move(value), token.line);
  const Token& member = stream_.take();
  if (member.kind == TokenKind::kName) {
    return make(token.line, AttributeExpression{boxed(std::move(value)), member.text});
  }
  int64_t index = 0;
  const char* end = member.text.data() + member.text.size();
  if (member.kind != TokenKind::kInteger ||
      std::from_chars(member.text.data(), end, index).ec != std::errc()) {
    throw SyntaxError{member.line, "has no name and no index after a '.'"};
  }
  return make(token.line,
              ItemExpression{boxed(std::move(value)),
                             boxed(make(token.line, ConstantExpression{Value(index)}))});
}

// What is in `[…]`: an index or a slice.
Expression ExpressionParser::brackets(Expression value, int line) {
  SliceExpression slice;
  if (!stream_.current().is_operator(":")) {
    if (stream_.current().is_operator("]")) stream_.fail_expected("an index");
    ExpressionPtr index = boxed(expression());
    if (stream_.skip_operator("]")) {
      return make(line, ItemExpression{boxed(std::move(value)), std::move(index)});
    }
    slice.begin = std::move(index);
  }
  stream_.expect_operator(":");
  const auto ends_part = [&] {
    return stream_.current().is_operator("]") || stream_.current().is_operator(":");
  };
  if (!ends_part()) slice.end = boxed(expression());
  if (stream_.skip_operator(":") && !ends_part()) slice.step = boxed(expression());
  stream_.expect_operator("]");
  slice.object = boxed(std::move(value));
  return make(line, std::move(slice));
}

Arguments ExpressionParser::arguments() {
  stream_.expect_operator("(");
  Arguments arguments;
  bool is_first = true;
  while (!stream_.current().is_operator(")")) {
    if (!is_first) stream_.expect_operator(",");
    is_first = false;
    const Token& token = stream_.current();
    if (token.is_operator(")")) break;
    if (token.is_operator("*") || token.is_operator("**")) {
      stream_.fail("has an argument with " + token.text + ", which is not supported");
    }
    if (token.kind == TokenKind::kName && stream_.next().is_operator("=")) {
      stream_.take();
      stream_.take();
      arguments.named.push_back({token.text, expression()});
      continue;
    }
    if (!arguments.named.empty()) stream_.fail("has an argument after a named one");
    arguments.positional.push_back(expression());
  }
  stream_.expect_operator(")");
  return arguments;
}

Expression ExpressionParser::call(Expression callee) {
  const int line = stream_.line();
  return make(line, CallExpression{boxed(std::move(callee)), arguments()});
}

}  // namespace pdl::jinja
