// What a template consists of once it is parsed. Private to the module.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "filters.h"
#include "pdl/jinja/template.h"
#include "tests.h"

namespace pdl::jinja {

struct Expression;
struct NamedArgument;
struct DictMember;
struct Comparison;
using ExpressionPtr = std::unique_ptr<Expression>;

// The number of a name, among those of a template.
using Symbol = int;

struct Arguments {
  std::vector<Expression> positional;
  std::vector<NamedArgument> named;
};

struct ConstantExpression {
  Value value;
};
struct NameExpression {
  Symbol symbol;
};
struct ListExpression {
  std::vector<Expression> items;
  bool is_tuple;
};
struct DictExpression {
  std::vector<DictMember> members;
};
struct AttributeExpression {
  ExpressionPtr object;
  std::string name;
};
struct ItemExpression {
  ExpressionPtr object;
  ExpressionPtr index;
};
struct SliceExpression {
  ExpressionPtr object;
  ExpressionPtr begin, end, step;  // nullptr: not given
};
struct CallExpression {
  ExpressionPtr callee;
  Arguments arguments;
};
struct FilterExpression {
  ExpressionPtr input;  // nullptr: the text of the block
  FilterFunction filter;
  Arguments arguments;
};
struct TestExpression {
  ExpressionPtr input;
  TestFunction test;
  Arguments arguments;
};
// Raises an error when it is evaluated: a filter or test that Jinja does not know either.
struct UnknownExpression {
  std::string message;
};
struct NotExpression {
  ExpressionPtr operand;
};
struct SignExpression {
  ExpressionPtr operand;
  bool is_negative;
};
struct LogicalExpression {
  ExpressionPtr left, right;
  bool is_and;
};
struct ArithmeticExpression {
  ExpressionPtr left, right;
  std::string symbol;  // + - * / // % **
};
struct CompareExpression {
  ExpressionPtr first;
  std::vector<Comparison> rest;
};
struct ConcatExpression {
  std::vector<Expression> parts;
};
struct ConditionalExpression {
  ExpressionPtr test, yes;
  ExpressionPtr no;  // nullptr: undefined
};

struct Expression {
  int line;
  std::variant<ConstantExpression, NameExpression, ListExpression, DictExpression,
               AttributeExpression, ItemExpression, SliceExpression, CallExpression,
               FilterExpression, TestExpression, UnknownExpression, NotExpression, SignExpression,
               LogicalExpression, ArithmeticExpression, CompareExpression, ConcatExpression,
               ConditionalExpression>
      data;
};

struct NamedArgument {
  std::string name;
  Expression value;
};
struct DictMember {
  Expression key, value;
};
struct Comparison {
  std::string symbol;  // == != < <= > >= in not-in
  Expression operand;
};

// What a value is given to: a name, a member of a namespace, or several of them.
struct Target {
  enum class Kind { kName, kMember, kTuple };
  Kind kind = Kind::kName;
  Symbol symbol = 0;               // of the name, or of the namespace
  std::string member = "";         // of a namespace
  std::vector<Target> items = {};  // of a tuple
};

struct Statement;
using Block = std::vector<Statement>;

struct DataStatement {
  Text text;
};
struct OutputStatement {
  Expression value;
};
struct Branch {
  Expression test;
  Block body;
};
struct IfStatement {
  std::vector<Branch> branches;
  Block otherwise;
};
struct ForStatement {
  Target target;
  Expression items;
  std::optional<Expression> test;
  Block body;
  Block otherwise;
};
struct SetStatement {
  Target target;
  Expression value;
};
struct SetBlockStatement {
  Target target;
  std::optional<Expression> filter;
  Block body;
};
struct WithStatement {
  std::vector<std::pair<Target, Expression>> values;
  Block body;
};
struct FilterBlockStatement {
  Expression filter;
  Block body;
};
struct Parameter {
  Symbol symbol;
  std::string name;
  std::optional<Expression> fallback;
};
struct MacroStatement {
  Symbol symbol;
  std::string name;
  std::vector<Parameter> parameters;
  Block body;
  bool takes_caller;
};
struct CallStatement {
  MacroStatement caller;
  Expression call;  // a CallExpression
};
struct GenerationStatement {
  Block body;
};
struct BreakStatement {};
struct ContinueStatement {};

struct Statement {
  int line;
  std::variant<DataStatement, OutputStatement, IfStatement, ForStatement, SetStatement,
               SetBlockStatement, WithStatement, FilterBlockStatement, MacroStatement,
               CallStatement, GenerationStatement, BreakStatement, ContinueStatement>
      data;
};

struct SyntaxTree {
  Block body;
  std::vector<std::string> names;  // by their symbols
  Symbol loop = 0;
  Symbol caller = 0;
  bool marks_generation = false;
  bool uses_date = false;
};

}  // namespace pdl::jinja
