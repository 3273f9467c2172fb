// Renders a syntax tree. Private to the module.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "budget.h"
#include "runtime.h"
#include "syntax_tree.h"
#include "text_builder.h"

namespace pdl::jinja {

// One rendering.
class Evaluator {
 public:
  using Variables = std::vector<std::pair<std::string, Value>>;

  Evaluator(const SyntaxTree& tree, const Variables& variables, const RenderLimits& limits,
            const Date& date);

  // Throws RenderError, and DataError for lists that are nested too deep.
  Text run();
  // Of the statement or expression that is evaluated.
  int line() const { return line_; }

 private:
  // In steps, of what lives as long as the rendering.
  static constexpr size_t kCostOfObject = 100;

  // How a statement ends.
  enum class Flow { kNext, kBreak, kContinue };

  // A level of expressions, blocks and calls within one another, of which each takes stack.
  class Nesting {
   public:
    explicit Nesting(Evaluator& evaluator) : depth_(evaluator.depth_) {
      if (depth_ == kMaxDepth) fail("nests calls too deep");
      ++depth_;
    }
    ~Nesting() { --depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    static constexpr int kMaxDepth = 1000;
    int& depth_;
  };

  Flow execute(const Block& block, Frame& frame, TextBuilder& out);
  Text text_of(const Block& block, Frame& frame);
  void assign(const Target& target, const Value& value, Frame& frame);

  Flow run_statement(const DataStatement& data, Frame& frame, TextBuilder& out);
  Flow run_statement(const OutputStatement& output, Frame& frame, TextBuilder& out);
  Flow run_statement(const IfStatement& condition, Frame& frame, TextBuilder& out);
  Flow run_statement(const ForStatement& loop, Frame& frame, TextBuilder& out);
  Flow run_statement(const SetStatement& set, Frame& frame, TextBuilder& out);
  Flow run_statement(const SetBlockStatement& set, Frame& frame, TextBuilder& out);
  Flow run_statement(const WithStatement& with, Frame& frame, TextBuilder& out);
  Flow run_statement(const FilterBlockStatement& block, Frame& frame, TextBuilder& out);
  Flow run_statement(const MacroStatement& macro, Frame& frame, TextBuilder& out);
  Flow run_statement(const CallStatement& call, Frame& frame, TextBuilder& out);
  Flow run_statement(const GenerationStatement& block, Frame& frame, TextBuilder& out);
  Flow run_statement(const BreakStatement&, Frame&, TextBuilder&) { return Flow::kBreak; }
  Flow run_statement(const ContinueStatement&, Frame&, TextBuilder&) { return Flow::kContinue; }
  std::vector<Value> passing_items(const ForStatement& loop, Frame& frame);

  Value evaluate(const Expression& expression, Frame& frame);
  Value value_of(const ConstantExpression& constant, Frame& frame);
  Value value_of(const NameExpression& name, Frame& frame);
  Value value_of(const ListExpression& list, Frame& frame);
  Value value_of(const DictExpression& dict, Frame& frame);
  Value value_of(const AttributeExpression& attribute, Frame& frame);
  Value value_of(const ItemExpression& item, Frame& frame);
  Value value_of(const SliceExpression& slice, Frame& frame);
  Value value_of(const CallExpression& call, Frame& frame);
  Value value_of(const FilterExpression& filter, Frame& frame);
  Value value_of(const TestExpression& test, Frame& frame);
  Value value_of(const UnknownExpression& unknown, Frame& frame);
  Value value_of(const NotExpression& negation, Frame& frame);
  Value value_of(const SignExpression& sign, Frame& frame);
  Value value_of(const LogicalExpression& logical, Frame& frame);
  Value value_of(const ArithmeticExpression& arithmetic, Frame& frame);
  Value value_of(const CompareExpression& comparison, Frame& frame);
  Value value_of(const ConcatExpression& concat, Frame& frame);
  Value value_of(const ConditionalExpression& conditional, Frame& frame);

  CallArguments values_of(const Arguments& arguments, Frame& frame);
  Macro* define(const MacroStatement& statement, Frame& frame);
  Value call(const Value& callee, const CallArguments& arguments, const Value* caller);
  Value call_macro(const Macro& macro, const CallArguments& arguments, const Value* caller);
  void bind(const MacroStatement& macro, const CallArguments& arguments, Frame& frame);
  Value make_namespace(const CallArguments& arguments);

  const SyntaxTree& tree_;
  Budget budget_;
  std::vector<Value> globals_;  // by their symbols
  std::deque<Namespace> spaces_;
  std::deque<Macro> macros_;
  const Value* block_text_ = nullptr;  // to which the filters of a block are applied
  int line_ = 1;
  int depth_ = 0;
};

}  // namespace pdl::jinja
