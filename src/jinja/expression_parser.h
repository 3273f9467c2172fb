// Parses expressions. Private to the module.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "syntax_tree.h"
#include "token_stream.h"

namespace pdl::jinja {

template <class Data>
Expression make(int line, Data data) {
  return Expression{line, std::move(data)};
}

inline ExpressionPtr boxed(Expression expression) {
  return std::make_unique<Expression>(std::move(expression));
}

// Whether it is true, false or none, which no value can be given to.
bool is_constant_name(std::string_view name);

// Follows the grammar of Jinja 3.1, whose operators bind otherwise than Python's: `~` binds closer
// than `+`, and a filter closer than a sign.
class ExpressionParser {
 public:
  ExpressionParser(TokenStream& stream, SyntaxTree& tree) : stream_(stream), tree_(tree) {}

  // Which kinds of expression end where.
  struct TupleRules {
    bool conditional = true;    // `a if b else c` is one expression
    std::string_view end = "";  // a name that ends it
    bool may_be_empty = false;  // `()`
  };

  Expression expression(bool conditional = true);
  // An expression, or several with commas between them, which make a tuple.
  Expression tuple(const TupleRules& rules);
  Target target(bool with_namespace, std::string_view end = "");
  Symbol symbol(const std::string& name);
  // `name(…) | name(…)`, applied to the text of a block; nullopt if there is none.
  std::optional<Expression> block_filter(bool starts_with_name);

  // Inside of an `if`, where Jinja itself refuses an unknown filter only when it comes to it.
  int if_depth = 0;
  // Names that a macro asks for by using them.
  bool uses_caller = false;

 private:
  // Counts how deep an expression is, because a tree that is too deep would exhaust the stack.
  class Nesting {
   public:
    explicit Nesting(ExpressionParser& parser) : parser_(parser), before_(parser.depth_) {
      add(kCostOfLevel);
    }
    ~Nesting() { parser_.depth_ = before_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

    // Of operators, filters and subscripts after one another.
    void add_link() { add(1); }

   private:
    // A level between brackets has several, and takes more stack than a link.
    static constexpr int kCostOfLevel = 2;
    static constexpr int kMaxDepth = 800;

    void add(int cost) {
      parser_.depth_ += cost;
      if (parser_.depth_ > kMaxDepth)
        parser_.stream_.fail("has an expression that is nested too deep");
    }

    ExpressionParser& parser_;
    int before_;
  };

  Expression conditional();
  Expression logical(bool is_and);
  Expression negation();
  Expression comparison();
  Expression sum();
  Expression concatenation();
  Expression product();
  Expression power();
  Expression unary(bool with_filter = true);
  Expression primary();
  Expression name_or_constant();
  Expression list();
  Expression dict();
  Expression postfix(Expression value);
  Expression filters(Expression value);
  Expression subscript(Expression value);
  Expression brackets(Expression value, int line);
  Expression call(Expression callee);
  Expression filter(ExpressionPtr input);
  Expression test(Expression input);
  Expression unknown(const std::string& what, const std::string& name, bool is_known_to_jinja,
                     int line);
  Arguments arguments();
  Target simple_target(bool with_namespace);
  bool begins_test_argument() const;

  TokenStream& stream_;
  SyntaxTree& tree_;
  std::map<std::string, Symbol> symbols_;
  int depth_ = 0;
};

}  // namespace pdl::jinja
