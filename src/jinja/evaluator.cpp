#include "evaluator.h"

#include <algorithm>

#include "methods.h"
#include "operations.h"
#include "pdl/base/unicode.h"
#include "printing.h"

namespace pdl::jinja {
Evaluator::Evaluator(const SyntaxTree& tree, const Variables& variables, const RenderLimits& limits,
                     const Date& date)
    : tree_(tree), budget_(limits, date) {
  globals_.reserve(tree.names.size());
  for (const std::string& name : tree.names) {
    const auto given = std::find_if(variables.begin(), variables.end(),
                                    [&](const auto& variable) { return variable.first == name; });
    if (given != variables.end()) {
      globals_.push_back(given->second);
    } else if (auto function = find_function(name)) {
      globals_.push_back(*function);
    } else {
      globals_.push_back(
          Value::undefined("uses '" + printable(name, 60) + "', which is undefined"));
    }
  }
}

Text Evaluator::run() {
  TextBuilder out(budget_);
  Frame frame(nullptr);
  execute(tree_.body, frame, out);
  return out.take();
}

Evaluator::Flow Evaluator::execute(const Block& block, Frame& frame, TextBuilder& out) {
  const Nesting nesting(*this);
  for (const Statement& statement : block) {
    line_ = statement.line;
    budget_.take();
    const Flow flow = std::visit([&](const auto& data) { return run_statement(data, frame, out); },
                                 statement.data);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

// What a block with variables of its own renders.
Text Evaluator::text_of(const Block& block, Frame& frame) {
  TextBuilder out(budget_);
  Frame inner(&frame);
  execute(block, inner, out);
  return out.take();
}

void Evaluator::assign(const Target& target, const Value& value, Frame& frame) {
  if (target.kind == Target::Kind::kName) return frame.set(target.symbol, value);
  if (target.kind == Target::Kind::kMember) {
    const Value* found = frame.find(target.symbol);
    const Value& owner = found == nullptr ? globals_[static_cast<size_t>(target.symbol)] : *found;
    if (owner.space() == nullptr) fail("sets a member of " + kind_of(owner) + ", not a namespace");
    return owner.space()->set(target.member, value);
  }
  require_defined(value);
  const std::vector<Value> items = items_of(value, budget_);
  if (items.size() != target.items.size()) {
    fail("gives " + std::to_string(items.size()) + " values to " +
         std::to_string(target.items.size()) + " names");
  }
  for (size_t i = 0; i < items.size(); ++i) assign(target.items[i], items[i], frame);
}

Evaluator::Flow Evaluator::run_statement(const DataStatement& data, Frame&, TextBuilder& out) {
  out.append(data.text);
  return Flow::kNext;
}

Evaluator::Flow Evaluator::run_statement(const OutputStatement& output, Frame& frame,
                                         TextBuilder& out) {
  out.append(*to_shared_text(evaluate(output.value, frame), budget_));
  return Flow::kNext;
}

Evaluator::Flow Evaluator::run_statement(const IfStatement& condition, Frame& frame,
                                         TextBuilder& out) {
  for (const auto& [test, body] : condition.branches) {
    if (is_true(evaluate(test, frame))) return execute(body, frame, out);
  }
  return execute(condition.otherwise, frame, out);
}

// The items over which a loop runs: those that pass its `if`.
std::vector<Value> Evaluator::passing_items(const ForStatement& loop, Frame& frame) {
  std::vector<Value> items = items_of(evaluate(loop.items, frame), budget_);
  if (!loop.test) return items;
  std::vector<Value> passing;
  Frame inner(&frame);
  inner.set(tree_.loop, Value::undefined("uses 'loop' in the 'if' of a loop"));
  for (Value& item : items) {
    assign(loop.target, item, inner);
    if (is_true(evaluate(*loop.test, inner))) passing.push_back(std::move(item));
  }
  return passing;
}

Evaluator::Flow Evaluator::run_statement(const ForStatement& loop, Frame& frame, TextBuilder& out) {
  const auto state = std::make_shared<LoopState>();
  state->items = passing_items(loop, frame);
  if (state->items.empty()) {
    Frame inner(&frame);
    return execute(loop.otherwise, inner, out);
  }
  Frame inner(&frame);
  for (; state->index < state->items.size(); ++state->index) {
    budget_.take();
    inner.clear();
    inner.set(tree_.loop, state);
    assign(loop.target, state->items[state->index], inner);
    if (execute(loop.body, inner, out) == Flow::kBreak) break;
  }
  return Flow::kNext;
}

Evaluator::Flow Evaluator::run_statement(const SetStatement& set, Frame& frame, TextBuilder&) {
  assign(set.target, evaluate(set.value, frame), frame);
  return Flow::kNext;
}

Evaluator::Flow Evaluator::run_statement(const SetBlockStatement& set, Frame& frame, TextBuilder&) {
  Value value = text_of(set.body, frame);
  if (set.filter) {
    const Value* outer = std::exchange(block_text_, &value);
    Value filtered = evaluate(*set.filter, frame);
    block_text_ = outer;
    value = std::move(filtered);
  }
  assign(set.target, value, frame);
  return Flow::kNext;
}

Evaluator::Flow Evaluator::run_statement(const WithStatement& with, Frame& frame,
                                         TextBuilder& out) {
  Frame inner(&frame);
  for (const auto& [target, value] : with.values) assign(target, evaluate(value, frame), inner);
  return execute(with.body, inner, out);
}

Evaluator::Flow Evaluator::run_statement(const FilterBlockStatement& block, Frame& frame,
                                         TextBuilder& out) {
  const Value text = text_of(block.body, frame);
  const Value* outer = std::exchange(block_text_, &text);
  out.append(to_text(evaluate(block.filter, frame), budget_));
  block_text_ = outer;
  return Flow::kNext;
}

Macro* Evaluator::define(const MacroStatement& statement, Frame& frame) {
  budget_.take(kCostOfObject);
  Macro* macro = &macros_.emplace_back(Macro{&statement, &frame});
  frame.own(macro);
  return macro;
}

Evaluator::Flow Evaluator::run_statement(const MacroStatement& macro, Frame& frame, TextBuilder&) {
  frame.set(macro.symbol, define(macro, frame));
  return Flow::kNext;
}

Evaluator::Flow Evaluator::run_statement(const CallStatement& call_block, Frame& frame,
                                         TextBuilder& out) {
  const auto& [callee, arguments] = std::get<CallExpression>(call_block.call.data);
  Frame inner(&frame);  // ends the caller with the statement
  const Value caller = define(call_block.caller, inner);
  const Value function = evaluate(*callee, frame);
  out.append(to_text(call(function, values_of(arguments, frame), &caller), budget_));
  return Flow::kNext;
}

Evaluator::Flow Evaluator::run_statement(const GenerationStatement& block, Frame& frame,
                                         TextBuilder& out) {
  const size_t begin = out.size();
  Frame inner(&frame);
  execute(block.body, inner, out);
  out.mark(begin, kGenerationOrigin);
  return Flow::kNext;
}

}  // namespace pdl::jinja
