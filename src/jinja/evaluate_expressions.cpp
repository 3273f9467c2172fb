// How the evaluator computes values.

#include <algorithm>

#include "evaluator.h"
#include "methods.h"
#include "operations.h"
#include "pdl/base/unicode.h"
#include "printing.h"
#include "strings.h"

namespace pdl::jinja {

Value Evaluator::evaluate(const Expression& expression, Frame& frame) {
  const Nesting nesting(*this);
  budget_.take();
  line_ = expression.line;
  return std::visit([&](const auto& data) { return value_of(data, frame); }, expression.data);
}

Value Evaluator::value_of(const ConstantExpression& constant, Frame&) { return constant.value; }

Value Evaluator::value_of(const NameExpression& name, Frame& frame) {
  const Value* found = frame.find(name.symbol);
  return found == nullptr ? globals_[static_cast<size_t>(name.symbol)] : *found;
}

Value Evaluator::value_of(const ListExpression& list, Frame& frame) {
  std::vector<Value> items;
  items.reserve(list.items.size());
  for (const Expression& item : list.items) items.push_back(evaluate(item, frame));
  return list.is_tuple ? make_tuple(std::move(items)) : make_list(std::move(items));
}

Value Evaluator::value_of(const DictExpression& dict, Frame& frame) {
  Dict members;
  for (const auto& [key, value] : dict.members) {
    Value name = evaluate(key, frame);
    require_key(name);
    members.set(std::move(name), evaluate(value, frame));
  }
  return make_dict(std::move(members));
}

Value Evaluator::value_of(const AttributeExpression& attribute, Frame& frame) {
  return attribute_of(evaluate(*attribute.object, frame), attribute.name);
}

Value Evaluator::value_of(const ItemExpression& item, Frame& frame) {
  const Value object = evaluate(*item.object, frame);
  return item_of(object, evaluate(*item.index, frame));
}

Value Evaluator::value_of(const SliceExpression& slice, Frame& frame) {
  const Value object = evaluate(*slice.object, frame);
  const auto bound = [&](const ExpressionPtr& part) {
    return part == nullptr ? Value() : evaluate(*part, frame);
  };
  const Value begin = bound(slice.begin);
  const Value end = bound(slice.end);
  return slice_of(object, begin, end, bound(slice.step), budget_);
}

CallArguments Evaluator::values_of(const Arguments& arguments, Frame& frame) {
  CallArguments values;
  for (const Expression& argument : arguments.positional) {
    values.positional.push_back(evaluate(argument, frame));
  }
  for (const auto& [name, argument] : arguments.named) {
    values.named.emplace_back(name, evaluate(argument, frame));
  }
  return values;
}

Value Evaluator::value_of(const CallExpression& expression, Frame& frame) {
  const Value callee = evaluate(*expression.callee, frame);
  const int line = line_;
  const CallArguments arguments = values_of(expression.arguments, frame);
  line_ = line;
  return call(callee, arguments, nullptr);
}

Value Evaluator::value_of(const FilterExpression& filter, Frame& frame) {
  const Value input = filter.input == nullptr ? *block_text_ : evaluate(*filter.input, frame);
  return filter.filter(input, values_of(filter.arguments, frame), budget_);
}

Value Evaluator::value_of(const TestExpression& test, Frame& frame) {
  const Value input = evaluate(*test.input, frame);
  return test.test(input, values_of(test.arguments, frame), budget_);
}

Value Evaluator::value_of(const UnknownExpression& unknown, Frame&) { fail(unknown.message); }

Value Evaluator::value_of(const NotExpression& negation, Frame& frame) {
  return !is_true(evaluate(*negation.operand, frame));
}

Value Evaluator::value_of(const SignExpression& sign, Frame& frame) {
  return with_sign(sign.is_negative, evaluate(*sign.operand, frame));
}

Value Evaluator::value_of(const LogicalExpression& logical, Frame& frame) {
  Value left = evaluate(*logical.left, frame);
  return is_true(left) == logical.is_and ? evaluate(*logical.right, frame) : left;
}

Value Evaluator::value_of(const ArithmeticExpression& arithmetic, Frame& frame) {
  const Value left = evaluate(*arithmetic.left, frame);
  const Value right = evaluate(*arithmetic.right, frame);
  return calculate(arithmetic.symbol, left, right, budget_);
}

Value Evaluator::value_of(const CompareExpression& comparison, Frame& frame) {
  Value left = evaluate(*comparison.first, frame);
  for (const auto& [symbol, operand] : comparison.rest) {
    Value right = evaluate(operand, frame);
    if (!compare(symbol, left, right, budget_)) return false;
    left = std::move(right);
  }
  return true;
}

Value Evaluator::value_of(const ConcatExpression& concat, Frame& frame) {
  TextBuilder result(budget_);
  for (const Expression& part : concat.parts) {
    result.append(*to_shared_text(evaluate(part, frame), budget_));
  }
  return result.take();
}

Value Evaluator::value_of(const ConditionalExpression& conditional, Frame& frame) {
  if (is_true(evaluate(*conditional.test, frame))) return evaluate(*conditional.yes, frame);
  if (conditional.no != nullptr) return evaluate(*conditional.no, frame);
  return Value::undefined("uses an 'if' without 'else' whose condition does not hold");
}

Value Evaluator::make_namespace(const CallArguments& arguments) {
  budget_.take(kCostOfObject);
  Namespace& space = spaces_.emplace_back();
  const Dict members = members_from(arguments, "namespace", budget_);
  for (const auto& [name, value] : members.members()) {
    if (name.text() == nullptr) fail("gives a namespace a member whose name is " + kind_of(name));
    space.set(name.text()->bytes, value);
  }
  return &space;
}

Value Evaluator::call(const Value& callee, const CallArguments& arguments, const Value* caller) {
  if (const Macro* macro = callee.macro()) return call_macro(*macro, arguments, caller);
  if (caller != nullptr) fail("uses {% call %} with what is no macro, which is not supported");
  if (const Method* method = callee.method()) return call_method(*method, arguments, budget_);
  if (const Function* function = callee.get<Function>()) {
    if (function->name == std::string_view("namespace")) return make_namespace(arguments);
    return call_function(*function, arguments, budget_);
  }
  require_defined(callee);
  fail("calls " + kind_of(callee));
}

void Evaluator::bind(const MacroStatement& macro, const CallArguments& arguments, Frame& frame) {
  const std::string name = "the macro '" + printable(macro.name, 60) + "'";
  if (arguments.positional.size() > macro.parameters.size()) {
    fail("gives " + std::to_string(arguments.positional.size()) + " arguments to " + name);
  }
  std::vector<const Value*> given(macro.parameters.size());
  for (size_t i = 0; i < arguments.positional.size(); ++i) given[i] = &arguments.positional[i];
  for (const auto& named : arguments.named) {
    const std::string& argument = named.first;
    const auto found = std::find_if(macro.parameters.begin(), macro.parameters.end(),
                                    [&](const Parameter& one) { return one.name == argument; });
    const auto at = static_cast<size_t>(found - macro.parameters.begin());
    if (at == given.size() || given[at] != nullptr) {
      fail("gives " + name + " the argument '" + printable(argument, 40) + "'");
    }
    given[at] = &named.second;
  }
  for (size_t i = 0; i < given.size(); ++i) {
    const Parameter& parameter = macro.parameters[i];
    if (given[i] != nullptr) {
      frame.set(parameter.symbol, *given[i]);
    } else if (parameter.fallback) {
      frame.set(parameter.symbol, evaluate(*parameter.fallback, frame));
    } else {
      frame.set(parameter.symbol, Value::undefined("does not give " + name + " the argument '" +
                                                   printable(parameter.name, 40) + "'"));
    }
  }
}

Value Evaluator::call_macro(const Macro& macro, const CallArguments& arguments,
                            const Value* caller) {
  const MacroStatement& statement = *macro.statement;
  if (macro.frame == nullptr) {
    fail("calls the macro '" + printable(statement.name, 60) +
         "' outside of where it was defined, which is not supported");
  }
  if (caller != nullptr && !statement.takes_caller) {
    fail("gives a caller to the macro '" + printable(statement.name, 60) +
         "', which does not use it");
  }
  const Nesting nesting(*this);
  Frame frame(macro.frame);
  if (statement.takes_caller) {
    frame.set(tree_.caller,
              caller == nullptr ? Value::undefined("uses 'caller' without one") : *caller);
  }
  const int line = line_;
  bind(statement, arguments, frame);
  TextBuilder out(budget_);
  execute(statement.body, frame, out);
  line_ = line;
  return out.take();
}

}  // namespace pdl::jinja
