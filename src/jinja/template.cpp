#include "pdl/jinja/template.h"

#include "evaluator.h"
#include "lexer.h"
#include "parser.h"
#include "pdl/base/error.h"
#include "pdl/base/unicode.h"

namespace pdl::jinja {
namespace {

constexpr size_t kMaxTemplateBytes = size_t{4} << 20;

std::string place_in(const std::string& name, int line) {
  return "chat template '" + printable(name) + "', line " + std::to_string(line) + ", ";
}

}  // namespace

Template::Template(std::string_view text, std::string name) : name_(std::move(name)) {
  if (text.size() > kMaxTemplateBytes) {
    throw ModelError("chat template '" + printable(name_) + "' is longer than " +
                     std::to_string(kMaxTemplateBytes) + " bytes");
  }
  const size_t invalid = find_invalid_utf8(text);
  if (invalid != std::string_view::npos) {
    throw ModelError("chat template '" + printable(name_) + "' is not UTF-8 at byte " +
                     std::to_string(invalid));
  }
  try {
    tree_ = parse(text);
  } catch (const SyntaxError& error) {
    throw ModelError(place_in(name_, error.line) + error.message);
  }
}

Template::~Template() = default;
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;

Text Template::render(const std::vector<std::pair<std::string, Value>>& variables, const Date& date,
                      const RenderLimits& limits) const {
  Evaluator evaluator(*tree_, variables, limits, date);
  try {
    return evaluator.run();
  } catch (const RenderError& error) {
    throw DataError(place_in(name_, evaluator.line()) + error.message);
  } catch (const DataError& error) {
    throw DataError(place_in(name_, evaluator.line()) + error.what());
  }
}

bool Template::marks_generation() const { return tree_->marks_generation; }
bool Template::uses_date() const { return tree_->uses_date; }

}  // namespace pdl::jinja
