#include "expression_parser.h"

#include <algorithm>
#include <array>

#include "pdl/base/unicode.h"

namespace pdl::jinja {
namespace {

constexpr std::array<std::string_view, 6> kComparisons = {"==", "!=", "<", "<=", ">", ">="};
}  // namespace

Symbol ExpressionParser::symbol(const std::string& name) {
  const auto [found, is_new] = symbols_.try_emplace(name, static_cast<Symbol>(tree_.names.size()));
  if (is_new) tree_.names.push_back(name);
  return found->second;
}

Expression ExpressionParser::expression(bool with_conditional) {
  return with_conditional ? conditional() : logical(/*is_and=*/false);
}

Expression ExpressionParser::tuple(const TupleRules& rules) {
  const int line = stream_.line();
  std::vector<Expression> items;
  bool is_tuple = false;
  while (true) {
    if (!items.empty()) stream_.expect_operator(",");
    const Token& token = stream_.current();
    if (token.kind == TokenKind::kOutputEnd || token.kind == TokenKind::kStatementEnd ||
        token.is_operator(")") || (!rules.end.empty() && token.is_name(rules.end))) {
      break;
    }
    items.push_back(expression(rules.conditional));
    if (!stream_.current().is_operator(",")) break;
    is_tuple = true;
  }
  if (is_tuple) return make(line, ListExpression{std::move(items), true});
  if (!items.empty()) return std::move(items.front());
  if (!rules.may_be_empty) stream_.fail_expected("an expression");
  return make(line, ListExpression{{}, true});
}

Target ExpressionParser::simple_target(bool with_namespace) {
  if (stream_.skip_operator("(")) {
    Target inner = target(/*with_namespace=*/false);
    stream_.expect_operator(")");
    return inner;
  }
  const std::string name = stream_.expect_name();
  if (is_constant_name(name)) stream_.fail("assigns to " + name);
  if (with_namespace && stream_.skip_operator(".")) {
    return {Target::Kind::kMember, symbol(name), stream_.expect_name()};
  }
  return {Target::Kind::kName, symbol(name)};
}

Target ExpressionParser::target(bool with_namespace, std::string_view end) {
  const Nesting nesting(*this);
  std::vector<Target> items;
  bool is_tuple = false;
  while (true) {
    items.push_back(simple_target(with_namespace));
    if (!stream_.skip_operator(",")) break;
    is_tuple = true;
    const Token& token = stream_.current();
    if ((!end.empty() && token.is_name(end)) || token.is_operator("=") || token.is_operator(")") ||
        token.kind == TokenKind::kStatementEnd) {
      break;
    }
  }
  if (!is_tuple) return std::move(items.front());
  return {Target::Kind::kTuple, 0, "", std::move(items)};
}

Expression ExpressionParser::conditional() {
  Nesting nesting(*this);
  Expression value = logical(/*is_and=*/false);
  while (stream_.current().is_name("if")) {
    const int line = stream_.take().line;
    nesting.add_link();
    ConditionalExpression data;
    data.yes = boxed(std::move(value));
    data.test = boxed(logical(/*is_and=*/false));
    if (stream_.skip_name("else")) data.no = boxed(conditional());
    value = make(line, std::move(data));
  }
  return value;
}

Expression ExpressionParser::logical(bool is_and) {
  Nesting nesting(*this);
  Expression left = is_and ? negation() : logical(/*is_and=*/true);
  while (stream_.current().is_name(is_and ? "and" : "or")) {
    const int line = stream_.take().line;
    nesting.add_link();
    Expression right = is_and ? negation() : logical(/*is_and=*/true);
    left = make(line, LogicalExpression{boxed(std::move(left)), boxed(std::move(right)), is_and});
  }
  return left;
}

Expression ExpressionParser::negation() {
  if (!stream_.current().is_name("not")) return comparison();
  const Nesting nesting(*this);
  const int line = stream_.take().line;
  return make(line, NotExpression{boxed(negation())});
}

Expression ExpressionParser::comparison() {
  const int line = stream_.line();
  Expression first = sum();
  std::vector<Comparison> rest;
  while (true) {
    const Token& token = stream_.current();
    std::string comparison;
    if (token.kind == TokenKind::kOperator &&
        std::find(kComparisons.begin(), kComparisons.end(), token.text) != kComparisons.end()) {
      comparison = stream_.take().text;
    } else if (stream_.skip_name("in")) {
      comparison = "in";
    } else if (token.is_name("not") && stream_.next().is_name("in")) {
      stream_.take();
      stream_.take();
      comparison = "not in";
    } else {
      break;
    }
    rest.push_back({std::move(comparison), sum()});
  }
  if (rest.empty()) return first;
  return make(line, CompareExpression{boxed(std::move(first)), std::move(rest)});
}

Expression ExpressionParser::sum() {
  Nesting nesting(*this);
  Expression left = concatenation();
  while (stream_.current().is_operator("+") || stream_.current().is_operator("-")) {
    const Token& token = stream_.take();
    nesting.add_link();
    Expression right = concatenation();
    left = make(token.line,
                ArithmeticExpression{boxed(std::move(left)), boxed(std::move(right)), token.text});
  }
  return left;
}

Expression ExpressionParser::concatenation() {
  const int line = stream_.line();
  std::vector<Expression> parts;
  parts.push_back(product());
  while (stream_.skip_operator("~")) parts.push_back(product());
  if (parts.size() == 1) return std::move(parts.front());
  return make(line, ConcatExpression{std::move(parts)});
}

Expression ExpressionParser::product() {
  Nesting nesting(*this);
  Expression left = power();
  while (stream_.current().is_operator("*") || stream_.current().is_operator("/") ||
         stream_.current().is_operator("//") || stream_.current().is_operator("%")) {
    const Token& token = stream_.take();
    nesting.add_link();
    Expression right = power();
    left = make(token.line,
                ArithmeticExpression{boxed(std::move(left)), boxed(std::move(right)), token.text});
  }
  return left;
}

Expression ExpressionParser::power() {
  Nesting nesting(*this);
  Expression left = unary();
  while (stream_.current().is_operator("**")) {
    const Token& token = stream_.take();
    nesting.add_link();
    Expression right = unary();
    left = make(token.line,
                ArithmeticExpression{boxed(std::move(left)), boxed(std::move(right)), token.text});
  }
  return left;
}

Expression ExpressionParser::unary(bool with_filter) {
  const Nesting nesting(*this);
  const Token& token = stream_.current();
  Expression value = [&] {
    if (!token.is_operator("-") && !token.is_operator("+")) return primary();
    const int line = stream_.take().line;
    return make(line, SignExpression{boxed(unary(/*with_filter=*/false)), token.text == "-"});
  }();
  value = postfix(std::move(value));
  return with_filter ? filters(std::move(value)) : std::move(value);
}

Expression ExpressionParser::postfix(Expression value) {
  Nesting nesting(*this);
  while (true) {
    const Token& token = stream_.current();
    if (token.is_operator(".") || token.is_operator("[")) {
      value = subscript(std::move(value));
    } else if (token.is_operator("(")) {
      value = call(std::move(value));
    } else {
      return value;
    }
    nesting.add_link();
  }
}

Expression ExpressionParser::filters(Expression value) {
  Nesting nesting(*this);
  while (true) {
    const Token& token = stream_.current();
    if (token.is_operator("|")) {
      stream_.take();
      value = filter(boxed(std::move(value)));
    } else if (token.is_name("is")) {
      value = test(std::move(value));
    } else if (token.is_operator("(")) {
      value = call(std::move(value));
    } else {
      return value;
    }
    nesting.add_link();
  }
}

Expression ExpressionParser::unknown(const std::string& what, const std::string& name,
                                     bool is_known_to_jinja, int line) {
  const std::string shown = what + " '" + printable(name, 60) + "'";
  if (is_known_to_jinja) throw SyntaxError{line, "uses the " + shown + ", which is not supported"};
  const std::string message = "uses the " + shown + ", which Jinja does not know";
  if (if_depth == 0) throw SyntaxError{line, message};
  return make(line, UnknownExpression{message});
}

Expression ExpressionParser::filter(ExpressionPtr input) {
  const int line = stream_.line();
  std::string name = stream_.expect_name();
  while (stream_.skip_operator(".")) name += "." + stream_.expect_name();
  Arguments given;
  if (stream_.current().is_operator("(")) given = arguments();
  const FilterFunction function = find_filter(name);
  if (function == nullptr) return unknown("filter", name, is_filter_of_jinja(name), line);
  return make(line, FilterExpression{std::move(input), function, std::move(given)});
}

std::optional<Expression> ExpressionParser::block_filter(bool starts_with_name) {
  std::optional<Expression> value;
  while (starts_with_name || stream_.skip_operator("|")) {
    starts_with_name = false;
    value = filter(value ? boxed(std::move(*value)) : nullptr);
  }
  return value;
}

bool ExpressionParser::begins_test_argument() const {
  const Token& token = stream_.current();
  switch (token.kind) {
    case TokenKind::kString:
    case TokenKind::kInteger:
    case TokenKind::kFloat:
      return true;
    case TokenKind::kName:
      return token.text != "else" && token.text != "or" && token.text != "and";
    default:
      return token.is_operator("[") || token.is_operator("{");
  }
}

Expression ExpressionParser::test(Expression input) {
  const int line = stream_.take().line;
  const bool is_negated = stream_.skip_name("not");
  std::string name = stream_.expect_name();
  while (stream_.skip_operator(".")) name += "." + stream_.expect_name();
  Arguments given;
  if (stream_.current().is_operator("(")) {
    given = arguments();
  } else if (begins_test_argument()) {
    if (stream_.current().is_name("is")) stream_.fail("chains tests with 'is'");
    given.positional.push_back(postfix(primary()));
  }
  const TestFunction function = find_test(name);
  Expression result =
      function == nullptr
          ? unknown("test", name, is_test_of_jinja(name), line)
          : make(line, TestExpression{boxed(std::move(input)), function, std::move(given)});
  return is_negated ? make(line, NotExpression{boxed(std::move(result))}) : std::move(result);
}

}  // namespace pdl::jinja
