#include "tests.h"

#include <algorithm>
#include <array>

#include "call_arguments.h"
#include "characters.h"
#include "operations.h"
#include "printing.h"

namespace pdl::jinja {
namespace {

void require_no_arguments(const CallArguments& arguments) {
  const BoundArguments none("a test", arguments, {});
}

template <bool (*is_kind)(const Value&)>
bool kind_test(const Value& input, const CallArguments& arguments, Budget&) {
  require_no_arguments(arguments);
  return is_kind(input);
}

bool is_defined(const Value& value) { return !value.is_undefined(); }
bool is_undefined(const Value& value) { return value.is_undefined(); }
bool is_none(const Value& value) { return value.is_none(); }
bool is_boolean(const Value& value) { return value.get<bool>() != nullptr; }
bool is_false(const Value& value) { return is_boolean(value) && !*value.get<bool>(); }
bool is_truth(const Value& value) { return is_boolean(value) && *value.get<bool>(); }
bool is_integer(const Value& value) { return value.get<int64_t>() != nullptr; }
bool is_float(const Value& value) { return value.get<double>() != nullptr; }
bool is_number(const Value& value) { return value.number().has_value(); }
bool is_string(const Value& value) { return value.text() != nullptr; }
bool is_mapping(const Value& value) { return value.dict() != nullptr; }
bool is_escaped(const Value& value) { return is_string(value) && value.text()->is_markup; }

bool is_callable(const Value& value) {
  return value.is_undefined() || value.method() != nullptr || value.macro() != nullptr ||
         value.get<Function>() != nullptr || value.loop() != nullptr;
}

// What has a length and an index: in Python that holds of an undefined value, too.
bool is_sequence(const Value& value) {
  const Sequence* sequence = value.sequence();
  return is_string(value) || is_mapping(value) || value.is_undefined() ||
         (sequence != nullptr && sequence->kind != Sequence::Kind::kView);
}

bool is_iterable(const Value& value) {
  return is_sequence(value) || value.sequence() != nullptr || value.iterator() != nullptr ||
         value.loop() != nullptr;
}

template <const char* symbol>
bool comparison_test(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments bound("a test", arguments, {"other"});
  return compare(symbol, input, bound.required(0), budget);
}

// The rest after division by 2, or by an argument.
bool has_rest(const Value& input, const Value& divisor, int64_t rest, Budget& budget) {
  require_defined(input);
  if (!input.number()) fail("asks whether " + kind_of(input) + " can be divided");
  return are_equal(calculate("%", input, divisor, budget), rest, budget);
}

bool is_odd(const Value& input, const CallArguments& arguments, Budget& budget) {
  require_no_arguments(arguments);
  return has_rest(input, int64_t{2}, 1, budget);
}

bool is_even(const Value& input, const CallArguments& arguments, Budget& budget) {
  require_no_arguments(arguments);
  return has_rest(input, int64_t{2}, 0, budget);
}

bool is_divisible(const Value& input, const CallArguments& arguments, Budget& budget) {
  const BoundArguments bound("divisibleby", arguments, {"num"});
  return has_rest(input, bound.required(0), 0, budget);
}

bool is_same(const Value& input, const CallArguments& arguments, Budget&) {
  const BoundArguments bound("sameas", arguments, {"other"});
  const Value& other = bound.required(0);
  if (input.is_none() || other.is_none()) return input.is_none() && other.is_none();
  if (is_boolean(input) || is_boolean(other)) {
    return is_boolean(input) && is_boolean(other) && *input.get<bool>() == *other.get<bool>();
  }
  fail("uses the test sameas on " + kind_of(input) + ", which is not supported");
}

// Some letter, and none of the other case. ASCII alone.
bool has_one_case(const Value& input, bool is_lower, Budget& budget) {
  const Text text = to_text(input, budget);
  if (!is_ascii(text.bytes)) {
    fail("asks for the case of a text that is not ASCII, which is not supported");
  }
  const auto has = [&](char first, char last) {
    return std::any_of(text.bytes.begin(), text.bytes.end(),
                       [&](char byte) { return byte >= first && byte <= last; });
  };
  return is_lower ? has('a', 'z') && !has('A', 'Z') : has('A', 'Z') && !has('a', 'z');
}

bool is_lower(const Value& input, const CallArguments& arguments, Budget& budget) {
  require_no_arguments(arguments);
  return has_one_case(input, true, budget);
}

bool is_upper(const Value& input, const CallArguments& arguments, Budget& budget) {
  require_no_arguments(arguments);
  return has_one_case(input, false, budget);
}

constexpr char kEqual[] = "==";
constexpr char kUnequal[] = "!=";
constexpr char kLess[] = "<";
constexpr char kLessOrEqual[] = "<=";
constexpr char kGreater[] = ">";
constexpr char kGreaterOrEqual[] = ">=";
constexpr char kIn[] = "in";

struct NamedTest {
  std::string_view name;
  TestFunction function;
};

constexpr std::array<NamedTest, 37> kTests = {{{"!=", comparison_test<kUnequal>},
                                               {"<", comparison_test<kLess>},
                                               {"<=", comparison_test<kLessOrEqual>},
                                               {"==", comparison_test<kEqual>},
                                               {">", comparison_test<kGreater>},
                                               {">=", comparison_test<kGreaterOrEqual>},
                                               {"boolean", kind_test<is_boolean>},
                                               {"callable", kind_test<is_callable>},
                                               {"defined", kind_test<is_defined>},
                                               {"divisibleby", is_divisible},
                                               {"eq", comparison_test<kEqual>},
                                               {"equalto", comparison_test<kEqual>},
                                               {"escaped", kind_test<is_escaped>},
                                               {"even", is_even},
                                               {"false", kind_test<is_false>},
                                               {"float", kind_test<is_float>},
                                               {"ge", comparison_test<kGreaterOrEqual>},
                                               {"greaterthan", comparison_test<kGreater>},
                                               {"gt", comparison_test<kGreater>},
                                               {"in", comparison_test<kIn>},
                                               {"integer", kind_test<is_integer>},
                                               {"iterable", kind_test<is_iterable>},
                                               {"le", comparison_test<kLessOrEqual>},
                                               {"lessthan", comparison_test<kLess>},
                                               {"lower", is_lower},
                                               {"lt", comparison_test<kLess>},
                                               {"mapping", kind_test<is_mapping>},
                                               {"ne", comparison_test<kUnequal>},
                                               {"none", kind_test<is_none>},
                                               {"number", kind_test<is_number>},
                                               {"odd", is_odd},
                                               {"sameas", is_same},
                                               {"sequence", kind_test<is_sequence>},
                                               {"string", kind_test<is_string>},
                                               {"true", kind_test<is_truth>},
                                               {"undefined", kind_test<is_undefined>},
                                               {"upper", is_upper}}};

}  // namespace

TestFunction find_test(std::string_view name) {
  const auto found = std::find_if(kTests.begin(), kTests.end(),
                                  [&](const NamedTest& test) { return test.name == name; });
  return found == kTests.end() ? nullptr : found->function;
}

bool is_test_of_jinja(std::string_view name) {
  return find_test(name) != nullptr || name == "filter" || name == "test";
}

}  // namespace pdl::jinja
