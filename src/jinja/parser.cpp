#include "parser.h"

#include <algorithm>
#include <array>

#include "expression_parser.h"
#include "pdl/base/unicode.h"
#include "token_stream.h"

namespace pdl::jinja {
namespace {

constexpr int kMaxBlocks = 100;  // within one another

// Tags that Jinja knows and this program does not.
constexpr std::array<std::string_view, 9> kOtherTags = {
    "block", "extends", "include", "import", "from", "autoescape", "print", "do", "trans"};

class Parser {
 public:
  explicit Parser(std::string_view text) : stream_(tokenize(text)), expressions_(stream_, *tree_) {
    tree_->loop = expressions_.symbol("loop");
    tree_->caller = expressions_.symbol("caller");
  }

  std::unique_ptr<const SyntaxTree> run() {
    tree_->body = block_until({});
    return std::move(tree_);
  }

 private:
  using Ends = std::vector<std::string_view>;

  // A block with variables of its own, which `break` cannot leave.
  struct Scope {
    explicit Scope(Parser& parser_in)
        : parser(parser_in), if_depth(parser.expressions_.if_depth), loops(parser.loops_) {
      parser.expressions_.if_depth = 0;
      parser.loops_ = 0;
    }
    ~Scope() {
      parser.expressions_.if_depth = if_depth;
      parser.loops_ = loops;
    }
    Parser& parser;
    int if_depth;
    int loops;
  };

  // Statements up to a tag of `ends`, whose name is then the current token; up to the end of the
  // template if there are none.
  Block block_until(const Ends& ends) {
    if (++depth_ > kMaxBlocks) stream_.fail("has blocks that are nested too deep");
    Block block;
    while (stream_.current().kind != TokenKind::kEnd) {
      const Token& token = stream_.take();
      switch (token.kind) {
        case TokenKind::kData:
          block.push_back({token.line, DataStatement{Text{token.text}}});
          break;
        case TokenKind::kOutputBegin:
          block.push_back({token.line, OutputStatement{expressions_.tuple({})}});
          stream_.expect(TokenKind::kOutputEnd, "'}}'");
          break;
        default: {  // {%
          const Token& name = stream_.current();
          if (name.kind == TokenKind::kName &&
              std::find(ends.begin(), ends.end(), name.text) != ends.end()) {
            --depth_;
            return block;
          }
          block.push_back(statement());
          stream_.expect(TokenKind::kStatementEnd, "'%}'");
        }
      }
    }
    if (!ends.empty()) stream_.fail("ends without {% " + std::string(ends.back()) + " %}");
    --depth_;
    return block;
  }

  // The body of a tag whose expressions are read.
  Block body_until(const Ends& ends) {
    stream_.skip_operator(":");
    stream_.expect(TokenKind::kStatementEnd, "'%}'");
    return block_until(ends);
  }
  // The same up to the one tag that ends it, which is taken.
  Block whole_body(std::string_view end) {
    Block body = body_until({end});
    stream_.take();
    return body;
  }

  Statement statement() {
    const int line = stream_.line();
    const std::string name = stream_.expect_name();
    if (name == "if") return {line, if_statement()};
    if (name == "for") return {line, for_statement()};
    if (name == "set") return set_statement(line);
    if (name == "macro") return {line, macro_statement()};
    if (name == "call") return {line, call_statement()};
    if (name == "with") return {line, with_statement()};
    if (name == "filter") return {line, filter_statement()};
    if (name == "generation") return {line, generation_statement()};
    if (name == "break" || name == "continue") {
      if (loops_ == 0) {
        throw SyntaxError{line,
                          "has {% " + name + " %} where no loop is left, which is not supported"};
      }
      if (name == "break") return {line, BreakStatement{}};
      return {line, ContinueStatement{}};
    }
    const std::string shown = "{% " + printable(name, 60) + " %}";
    if (std::find(kOtherTags.begin(), kOtherTags.end(), name) != kOtherTags.end()) {
      throw SyntaxError{line, "uses " + shown + ", which is not supported"};
    }
    throw SyntaxError{line, "has " + shown + ", which is no tag here"};
  }

  IfStatement if_statement() {
    ++expressions_.if_depth;
    IfStatement result;
    while (true) {
      Expression test = expressions_.tuple({.conditional = false});
      Block body = body_until({"elif", "else", "endif"});
      result.branches.push_back({std::move(test), std::move(body)});
      const std::string end = stream_.take().text;
      if (end == "elif") continue;
      if (end == "else") result.otherwise = whole_body("endif");
      break;
    }
    --expressions_.if_depth;
    return result;
  }

  ForStatement for_statement() {
    Target target = expressions_.target(/*with_namespace=*/false, "in");
    refuse_loop(target);
    if (!stream_.skip_name("in")) stream_.fail_expected("'in'");
    Expression items = expressions_.tuple({.conditional = false, .end = "recursive"});
    std::optional<Expression> test;
    if (stream_.skip_name("if")) test = expressions_.expression();
    if (stream_.current().is_name("recursive")) {
      stream_.fail("has a recursive loop, which is not supported");
    }
    const int if_depth = std::exchange(expressions_.if_depth, 0);
    ++loops_;
    Block body = body_until({"endfor", "else"});
    --loops_;
    Block otherwise;
    if (stream_.take().text == "else") otherwise = whole_body("endfor");
    expressions_.if_depth = if_depth;
    return {std::move(target), std::move(items), std::move(test), std::move(body),
            std::move(otherwise)};
  }

  void refuse_loop(const Target& target) {
    if (target.kind == Target::Kind::kName && target.symbol == tree_->loop) {
      stream_.fail("assigns to loop");
    }
    for (const Target& item : target.items) refuse_loop(item);
  }

  Statement set_statement(int line) {
    Target target = expressions_.target(/*with_namespace=*/true);
    if (stream_.skip_operator("=")) {
      return {line, SetStatement{std::move(target), expressions_.tuple({})}};
    }
    std::optional<Expression> filter = expressions_.block_filter(/*starts_with_name=*/false);
    const Scope scope(*this);
    return {line, SetBlockStatement{std::move(target), std::move(filter), whole_body("endset")}};
  }

  std::vector<Parameter> parameters() {
    std::vector<Parameter> parameters;
    stream_.expect_operator("(");
    while (!stream_.current().is_operator(")")) {
      if (!parameters.empty()) stream_.expect_operator(",");
      const std::string name = stream_.expect_name();
      if (name == "caller") stream_.fail("has a parameter 'caller', which is not supported");
      std::optional<Expression> fallback;
      if (stream_.skip_operator("=")) {
        fallback = expressions_.expression();
      } else if (!parameters.empty() && parameters.back().fallback) {
        stream_.fail("has a parameter without a default after one with it");
      }
      parameters.push_back({expressions_.symbol(name), name, std::move(fallback)});
    }
    stream_.expect_operator(")");
    return parameters;
  }

  // The rest of a macro, from its parameters on.
  MacroStatement macro_from(const std::string& name, std::vector<Parameter> taken,
                            std::string_view end) {
    const bool outer_uses_caller = std::exchange(expressions_.uses_caller, false);
    const Scope scope(*this);
    Block body = whole_body(end);
    const bool takes_caller = expressions_.uses_caller;
    expressions_.uses_caller |= outer_uses_caller;
    return {expressions_.symbol(name), name, std::move(taken), std::move(body), takes_caller};
  }

  MacroStatement macro_statement() {
    const std::string name = stream_.expect_name();
    return macro_from(name, parameters(), "endmacro");
  }

  CallStatement call_statement() {
    std::vector<Parameter> taken;
    if (stream_.current().is_operator("(")) taken = parameters();
    Expression call = expressions_.expression();
    if (!std::holds_alternative<CallExpression>(call.data)) {
      stream_.fail("has {% call %} without a call");
    }
    return {macro_from("caller", std::move(taken), "endcall"), std::move(call)};
  }

  WithStatement with_statement() {
    WithStatement result;
    while (stream_.current().kind != TokenKind::kStatementEnd) {
      if (!result.values.empty()) stream_.expect_operator(",");
      Target target = expressions_.target(/*with_namespace=*/false);
      stream_.expect_operator("=");
      result.values.emplace_back(std::move(target), expressions_.expression());
    }
    const int if_depth = std::exchange(expressions_.if_depth, 0);
    result.body = whole_body("endwith");
    expressions_.if_depth = if_depth;
    return result;
  }

  FilterBlockStatement filter_statement() {
    std::optional<Expression> filter = expressions_.block_filter(/*starts_with_name=*/true);
    const Scope scope(*this);
    return {std::move(*filter), whole_body("endfilter")};
  }

  GenerationStatement generation_statement() {
    tree_->marks_generation = true;
    const Scope scope(*this);
    return {whole_body("endgeneration")};
  }

  std::unique_ptr<SyntaxTree> tree_ = std::make_unique<SyntaxTree>();
  TokenStream stream_;
  ExpressionParser expressions_;
  int loops_ = 0;  // that `break` may leave
  int depth_ = 0;
};

}  // namespace

std::unique_ptr<const SyntaxTree> parse(std::string_view text) { return Parser(text).run(); }

}  // namespace pdl::jinja
