// A chat template: it is refused, or rendered within limits to the same UTF-8 text each time.
#include "fuzz_target.h"
#include "pdl/base/error.h"
#include "pdl/base/json.h"
#include "pdl/base/unicode.h"
#include "pdl/jinja/template.h"

namespace pdl::jinja {
namespace {

// Smaller limits than those of records, so that an input takes little time.
constexpr RenderLimits kLimits = {.max_steps = 100'000, .max_bytes = size_t{1} << 20};

std::vector<std::pair<std::string, Value>> make_variables() {
  const JsonValue root = parse_json(R"({
    "messages": [{"role": "system", "content": " S\n"}, {"role": "user", "content": "é <b>"},
                 {"role": "assistant", "content": "<t>x</t>y", "n": [1, 2.5, null, true, ""]}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": {}, "b": []}}}],
    "bos_token": "<s>", "add_generation_prompt": false, "documents": null})",
                                    {}, JsonBlame::of<DataError>(""));
  std::vector<std::pair<std::string, Value>> variables;
  for (size_t i = 0; i < root.items().size(); ++i) {
    variables.emplace_back(root.keys()[i], from_json(root.items()[i], static_cast<int32_t>(i)));
  }
  return variables;
}

void check_template(std::string_view text) {
  static const auto kVariables = make_variables();
  const auto parsed = accepted<ModelError>([&] { return Template(text, "f.jinja"); });
  if (!parsed) return;
  const auto render = [&] {
    return accepted<DataError>([&] { return parsed->render(kVariables, {2026, 7, 4}, kLimits); });
  };
  const auto first = render();
  const auto second = render();
  require(first.has_value() == second.has_value(), "a template is refused each time or never");
  if (!first) return;
  require(first->bytes == second->bytes, "a template is rendered to the same text each time");
  require(first->spans == second->spans, "what is known of the text's origins is the same");
  require(first->bytes.size() <= kLimits.max_bytes, "the text is within its limit");
  require(find_invalid_utf8(first->bytes) == std::string_view::npos, "the text is UTF-8");
  for (const Span& span : first->spans) {
    require(span.begin <= span.end && span.end <= first->bytes.size(), "a span is in the text");
  }
}

}  // namespace
}  // namespace pdl::jinja

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  pdl::jinja::check_template(pdl::text_of(data, size));
  return 0;
}
